"""All that has never run on an accelerator, in one command of at most eight minutes, and one table.

    python -m benchmarks accelerator [--out results/benchmarks]
    python -m benchmarks accelerator --device cpu --small  # the same parts, tried without a card
    python -m benchmarks accelerator --only tests kernel

Prints its progress and writes ``accelerator.md`` and ``accelerator.csv``. The parts: ``tests``
that want an accelerator, the fused ``kernel`` against eager torch, KeOps and the card's products,
public estimators' ``bounds`` against the host's, ``replicas`` against one network after another, a
``residual`` network's step, the training of the default ``study``. Each runs in a process of its
own and has its share of the time: one that fails, crashes or takes too long is a row of the table,
and the others go on. A part's rows stay as they are measured. The exit status is 1 if something
failed.

Needed are torch, numpy, scipy, xarray, scikit-learn, numba, triton, pytest and what these bring
along (pandas with xarray, threadpoolctl with scikit-learn). Two small packages of pure Python come
beside them, as wheels where nothing can be fetched: array-api-compat and tqdm. KeOps (``pykeops``
and ``keopscore``, which compile with the machine's compilers) is compared where it is installed.
Not needed: snakemake, netCDF4, pooch, PyYAML, hypothesis. What is missing is named in one line.
"""
