"""Sums of exponentials over all pairs of samples, never holding them: the work of the bounds."""
