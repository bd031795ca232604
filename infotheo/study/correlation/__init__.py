"""Correlation of measures with generalization: coefficients, intervals, permutation p-values."""

from infotheo.study.correlation.table import correlation_table

__all__ = ["correlation_table"]
