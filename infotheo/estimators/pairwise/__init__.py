"""Bounds of a Gaussian mixture's information from its pairs, and the truth by sampling."""
