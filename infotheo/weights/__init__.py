"""Information in a network's weights, and what it says about activations (paper 3)."""
