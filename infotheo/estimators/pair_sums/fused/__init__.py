"""Pair sums by a Triton kernel on a CUDA device: optional, and known to the chooser alone.

Nothing outside of this package imports from it but
:func:`infotheo.estimators.pair_sums.row_sums.choose_backend`, and that only when points lie on a
CUDA device. The kernels are tested through Triton's interpreter and compiled for capability 9.0;
``python -m benchmarks accelerator`` runs them on a card.
"""
