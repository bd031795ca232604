"""Noise variances: read what the caller gives, or choose from the data."""
