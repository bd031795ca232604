"""The study a configuration describes: train, measure, correlate, draw."""

import os
import sys
from pathlib import Path

from snakemake.logging import logger
from snakemake.utils import min_version

min_version("9.0")

if not workflow.configfiles:

    configfile: "config.yaml"


sys.path.insert(0, workflow.basedir)

from workflows.console import tell_less
from workflows.forcing import force
from workflows.plan.errors import ConfigError
from workflows.plan.extends import extended
from workflows.plan.study import Study

file = str((workflow.configfiles or ["config.yaml"])[-1])
try:
    completed, files = extended(config, file)
except ConfigError as error:
    sys.exit(str(error))
config |= completed
config.pop("extends", None)

# Jobs and this file find the project and, in the working directory or beside the configuration,
# the user's own package.
folders = [workflow.basedir, os.getcwd()]
folders += [str(Path(path).resolve().parent) for path in [*workflow.configfiles, *files]]
folders = list(dict.fromkeys(folders))
sys.path[:0] = folders
# One thread a job: results then do not depend on how many jobs share the machine.
os.environ |= {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS")}
os.environ["PYTHONPATH"] = os.pathsep.join([*folders, os.environ.get("PYTHONPATH", "")])

try:
    study = Study(config, file)
    study.check_code()
    study.check_writable()
except ConfigError as error:
    sys.exit(str(error))

if workflow.is_main_process:
    # What was made elsewhere, or before, with other settings or code is made again, also where
    # Snakemake has no notes of its own.
    force(workflow, map(str, study.stale_files()))

# for the report and for messages; and what jobs need that is no part of a result
config |= {"captions": study.captions(), "file": file, "jobs": study.jobs()}


report: "workflows/captions/study.rst"


onstart:
    tell_less(logger, len(workflow.dag))


onsuccess:
    if len(workflow.dag):
        print(
            f"results/{study.name} holds the study; a page of it: snakemake --report report.html"
        )


wildcard_constraints:
    data=r"[^/]+",
    run=r"[^/]+",
    chunk=r"(seeds|selection)-[0-9_-]+",
    layer=r"[^/]+",
    estimate=r"[^/]+",
    name=r"[^/]+",


rule all:
    default_target: True
    input:
        study.layout.targets(),
    message:
        f"study {study.name} is complete"


include: "workflows/rules/train.smk"
include: "workflows/rules/estimate.smk"
include: "workflows/rules/present.smk"
