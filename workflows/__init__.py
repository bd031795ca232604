"""The pipeline around the library: plan, rules and scripts."""
