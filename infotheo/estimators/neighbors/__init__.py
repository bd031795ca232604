"""Nearest-neighbour information: searches, counts, and when not to trust it."""
