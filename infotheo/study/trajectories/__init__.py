"""Trained networks looked at again, as they are and along their training."""
