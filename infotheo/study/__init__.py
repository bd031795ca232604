"""What a study asks of trained networks, and how its answers are joined and drawn."""

# What figures, tables and animations may take of a study, by the names of their parameters.
STUDY_DATA = ("runs", "correlations", "histories", "activations", "trajectories", "reference")
