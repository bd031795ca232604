rule estimate:
    input:
        lambda wildcards: study.layout.measured_file(
            wildcards.run, wildcards.chunk, wildcards.layer
        ),
    output:
        "results/runs/{run}/{chunk}/estimates/{layer}/{estimate}.nc",
    log:
        "results/logs/estimate/{run}/{chunk}/{layer}/{estimate}.log",
    threads: 1
    params:
        spec=lambda wildcards: study.estimate_params(wildcards.estimate),
    message:
        "{wildcards.estimate} of {wildcards.layer}, {wildcards.run} {wildcards.chunk}"
    script:
        "../scripts/estimate.py"


rule estimate_network:
    input:
        data=lambda wildcards: study.layout.data_file(wildcards.run),
        networks="results/runs/{run}/{chunk}/weights.nc",
    output:
        "results/runs/{run}/{chunk}/network_estimates/{estimate}.nc",
    log:
        "results/logs/estimate/{run}/{chunk}/network/{estimate}.log",
    threads: 1
    resources:
        gpu=study.gpu,
    params:
        spec=lambda wildcards: study.network_estimate_params(wildcards.run, wildcards.estimate),
    message:
        "{wildcards.estimate} of {wildcards.run} {wildcards.chunk}"
    script:
        "../scripts/follow.py"


rule follow:
    input:
        data=lambda wildcards: study.layout.data_file(wildcards.run),
        networks="results/runs/{run}/{chunk}/snapshots.nc",
    output:
        "results/runs/{run}/{chunk}/trajectories/{estimate}.nc",
    log:
        "results/logs/follow/{run}/{chunk}/{estimate}.log",
    threads: 1
    resources:
        gpu=study.gpu,
    params:
        spec=lambda wildcards: study.trajectory_params(wildcards.run, wildcards.estimate),
    message:
        "{wildcards.estimate} along training, {wildcards.run} {wildcards.chunk}"
    script:
        "../scripts/follow.py"


rule collect:
    input:
        histories=study.layout.history_files(),
        estimates=study.layout.estimate_files(),
    output:
        report(
            f"results/{study.name}/runs.csv",
            caption="../captions/runs.rst",
            category="Tables",
        ),
    log:
        f"results/logs/{study.name}/collect.log",
    params:
        spec=study.collect_params(),
    message:
        "collect the runs"
    script:
        "../scripts/collect.py"


rule correlate:
    input:
        f"results/{study.name}/runs.csv",
    output:
        report(
            f"results/{study.name}/correlations.csv",
            caption="../captions/correlations.rst",
            category="Tables",
        ),
    log:
        f"results/logs/{study.name}/correlate.log",
    params:
        spec=study.correlate_params(),
    message:
        "correlate the measures with the errors"
    script:
        "../scripts/correlate.py"
