"""Information theory for neural-network representations."""
