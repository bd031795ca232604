"""Information estimators, one family to a module."""
