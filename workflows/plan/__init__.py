"""What a configuration comes to, worked out without importing torch or running anything."""
