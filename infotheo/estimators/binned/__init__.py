"""Binned information: cells, the symbols they make of a layer, and their entropies."""
