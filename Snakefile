"""The study a configuration describes: train, measure, correlate, draw."""

import os
import sys
from pathlib import Path
from sysconfig import get_path

from snakemake.logging import logger
from snakemake.utils import min_version

min_version("9.0")

# The standard library before everything else: a user's random.py is not Python's.
stdlib = get_path("stdlib")
standard = [path for path in sys.path if path in (stdlib, os.path.join(stdlib, "lib-dynload"))]
sys.path[:0] = [*standard, workflow.basedir]

from workflows.console import tell_less
from workflows.forcing import force
from workflows.plan.errors import ConfigError
from workflows.plan.origins import read_configuration
from workflows.plan.study import Study

if not workflow.configfiles:
    # one that stands in the working directory, else the default study
    default = next(filter(os.path.exists, ["config.yaml", f"{workflow.basedir}/config.yaml"]), "")
    try:
        read_configuration([default or "config.yaml"])
    except ConfigError as error:
        sys.exit(str(error))

    configfile: default


# Read again: Snakemake takes a key that stands twice, and numbers after --config as text.
settings = workflow.config_settings
try:
    configuration = read_configuration(
        list(map(str, workflow.configfiles)), settings.config_args or settings.config or {}
    )
except ConfigError as error:
    sys.exit(str(error))
config.clear()
config |= configuration.config

# Jobs and this file find the project and the user's own package: in the working directory, where
# the command was given, or beside a configuration.
folders = [workflow.basedir, os.getcwd(), workflow.rundir]
folders += [str(Path(path).resolve().parent) for path in configuration.files]
folders = list(dict.fromkeys([*standard, *folders]))
sys.path[:0] = folders
# One thread a job: results then do not depend on how many jobs share the machine.
os.environ |= {f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS")}
os.environ["PYTHONPATH"] = os.pathsep.join([*folders, os.environ.get("PYTHONPATH", "")])
os.environ |= {"PYTHONSAFEPATH": "1"}  # a script's own folder hides no module either

try:
    study = Study(config, configuration.file)
    study.check_code()
    study.check_writable()
except ConfigError as error:
    sys.exit(str(configuration.name_source(error)))

if workflow.is_main_process:
    # What was made elsewhere, or before, with other settings or code is made again, also where
    # Snakemake has no notes of its own.
    force(workflow, map(str, study.stale_files()))

# for the report and for messages; and what jobs need that is no part of a result
config |= {"captions": study.captions(), "file": configuration.file, "jobs": study.jobs()}


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
    chunk=r"(seeds|selection)-[0-9_-]+(and-[0-9]+-more-[0-9a-f]{8})?",
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
