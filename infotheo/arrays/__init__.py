"""The door of every estimator: samples, pairs, labels, numbers, results, threads."""
