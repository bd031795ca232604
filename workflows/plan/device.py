"""The GPUs that a job takes, known without importing torch."""

from __future__ import annotations

import sys
from pathlib import Path

from workflows.plan.errors import ConfigError


def gpus_of_a_job(device: str, file: str) -> int:
    """Return how many GPUs a job takes: the resource that keeps jobs from sharing one.

    Raises
    ------
    ConfigError
        If a device is asked for that this machine lacks.
    """
    # NVIDIA's driver, the same below Windows, and AMD's, which torch calls cuda as well
    traces = ("/proc/driver/nvidia/version", "/dev/nvidia0", "/dev/dxg", "/dev/kfd")
    cuda = any(Path(trace).exists() for trace in traces)
    mps = sys.platform == "darwin"
    if (device.startswith("cuda") and not cuda) or (device == "mps" and not mps):
        raise ConfigError(
            f"{file}: device: found {device!r}, which this machine does not have; expected auto or "
            "cpu"
        )
    return int(device != "cpu" and (cuda or mps))
