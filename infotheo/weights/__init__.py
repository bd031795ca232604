"""Information in a network's weights, and bounds of what activations keep by it (paper 3)."""
