"""Estimators that fit a critic: a small network that tells joint samples from shuffled ones."""
