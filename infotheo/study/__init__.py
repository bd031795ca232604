"""Measures of trained networks that a study asks for, and its tables and figures of them."""

# What figures, tables and animations may take of a study, by the names of their parameters.
STUDY_DATA = ("runs", "correlations", "histories", "activations", "trajectories", "reference")
