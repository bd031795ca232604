"""Statistical characteristics of a representation."""
