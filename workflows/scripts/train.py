"""Train a chunk of a run's seeds, or the grid of loss weights to choose from."""

from pathlib import Path

from workflows.files import read_dataset, write_dataset
from workflows.job import job

IN_PLACE = "infotheo.study.trajectories.in_place:measuring_in_place"

with job(snakemake):
    import torch

    from infotheo.data.samples import require_part
    from infotheo.registry import lookup
    from infotheo.training.checkpoint import discard
    from infotheo.training.fit import Fitted, check_layers, fit, fit_at_chosen_weight

    torch.set_num_threads(snakemake.threads)
    spec = dict(snakemake.params.spec)
    samples = read_dataset(snakemake.input.data)
    along = snakemake.config.get("snapshots") or {}
    layers = [*snakemake.config["layers"], *along.get("layers", [])]
    layers += [
        name
        for own in (along.get("measures") or {}).values()
        for name in (own or {}).get("layers", [])
    ]
    check_layers(samples, spec["network"], spec["regularizer"], layers)
    if "snapshots" in spec:
        usual = along.get("part", "test")
        measured = (along.get("measures") or {"": None}).values()
        for part in sorted({(own or {}).get("part", usual) for own in measured}):
            require_part(samples, part)
    weight = spec["regularizer"].get("weight")
    settings = {key: spec[key] for key in ("network", "training", "regularizer", "seeds")}
    settings |= {"device": snakemake.config.get("device", "auto"), "label": snakemake.wildcards.run}
    if "snapshots" in spec:
        limit = {key: along[key] for key in ("gigabytes",) if key in along}
        schedule = dict(spec["snapshots"])
        if wanted := schedule.pop("measures", None):
            of = {key: spec[key] for key in ("network", "regularizer")}
            # by its name, for it is no part of other trainings' code
            in_place = lookup(IN_PLACE, {}, "function")
            settings["at_snapshot"] = in_place(samples, wanted=wanted, **of)
        settings["snapshots"] = schedule | limit
    # Named by the code as well: another version does not go on from where this one stood.
    checkpoint = f"{snakemake.wildcards.run}-{snakemake.wildcards.chunk}-{spec['code']}.npz"
    settings["checkpoint_path"] = Path("results", "checkpoints", checkpoint)
    for stale in settings["checkpoint_path"].parent.glob(
        f"{snakemake.wildcards.run}-{snakemake.wildcards.chunk}-{'[0-9a-f]' * 16}.npz"
    ):
        if stale != settings["checkpoint_path"]:
            discard(stale)
    if spec["grid"]:
        fitted = fit(samples, loss_weights=weight, grid=True, **settings)
    elif isinstance(weight, list):
        selection = Fitted(*(read_dataset(file) for file in snakemake.input.selection))
        fitted = fit_at_chosen_weight(samples, selection, **settings)
    else:
        fitted = fit(samples, loss_weights=[] if weight is None else [weight], **settings)
    datasets = [dataset for dataset in fitted if dataset is not None]
    for file, dataset in zip(snakemake.output, datasets, strict=True):
        write_dataset(file, dataset, spec=spec)
    discard(settings["checkpoint_path"])
