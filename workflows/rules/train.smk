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
        data=lambda wildcards: study.layout.data_file(wildcards.run),
        selection=lambda wildcards: study.layout.selection_files(wildcards.run, wildcards.chunk),
    output:
        **{
            part: f"results/runs/{{run}}/{{chunk}}/{file}"
            for part, file in study.layout.trained_parts().items()
        },
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
        data=lambda wildcards: study.layout.data_file(wildcards.run),
        networks="results/runs/{run}/{chunk}/weights.nc",
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


rule snapshot_activations:
    input:
        data=lambda wildcards: study.layout.data_file(wildcards.run),
        networks="results/runs/{run}/{chunk}/snapshots.nc",
    output:
        "results/runs/{run}/{chunk}/snapshots/{layer}.nc",
    log:
        "results/logs/snapshots/{run}/{chunk}/{layer}.log",
    threads: 1
    resources:
        gpu=study.gpu,
    params:
        spec=lambda wildcards: study.snapshot_activation_params(wildcards.run, wildcards.layer),
    message:
        "activations of {wildcards.layer} along training, {wildcards.run} {wildcards.chunk}"
    script:
        "../scripts/record_activations.py"
