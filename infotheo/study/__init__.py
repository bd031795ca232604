"""What a study asks of trained networks, and how its answers are joined and drawn."""
