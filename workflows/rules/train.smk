rule data:
    output:
        "results/data/{data}.nc",
    log:
        "results/logs/data/{data}.log",
    params:
        spec=lambda wildcards: study.data_params(wildcards.data),
    message:
        "data set {wildcards.data}"
    script:
        "../scripts/prepare_data.py"


rule train:
    input:
        data=lambda wildcards: study.data_file(wildcards.run),
        selection=lambda wildcards: study.selection_files(wildcards.run, wildcards.chunk),
    output:
        weights="results/runs/{run}/{chunk}/weights.nc",
        history="results/runs/{run}/{chunk}/history.nc",
        predictions="results/runs/{run}/{chunk}/predictions.nc",
    log:
        "results/logs/train/{run}/{chunk}.log",
    threads: 1
    resources:
        gpu=study.gpu,
    params:
        spec=lambda wildcards: study.train_params(wildcards.run, wildcards.chunk),
    message:
        "train {wildcards.run} {wildcards.chunk}"
    script:
        "../scripts/train.py"


rule activations:
    input:
        data=lambda wildcards: study.data_file(wildcards.run),
        weights="results/runs/{run}/{chunk}/weights.nc",
    output:
        "results/runs/{run}/{chunk}/activations/{layer}.nc",
    log:
        "results/logs/activations/{run}/{chunk}/{layer}.log",
    threads: 1
    resources:
        gpu=study.gpu,
    params:
        spec=lambda wildcards: study.activation_params(wildcards.run, wildcards.layer),
    message:
        "activations of {wildcards.layer}, {wildcards.run} {wildcards.chunk}"
    script:
        "../scripts/record_activations.py"
