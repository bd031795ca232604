"""Training of replicas: many networks of one architecture at once."""
