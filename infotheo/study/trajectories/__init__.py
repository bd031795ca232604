"""Trained networks rebuilt and measured, as they are and along their training."""
