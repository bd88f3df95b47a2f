"""On what a cell was measured, and how much memory it took."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from fewstain.diffusion.progress import device_name


def machine_facts() -> dict[str, Any]:
    """Tell the device, the threads torch uses, the processor and its cores, and the version of torch."""
    import torch
    from accelerate.state import PartialState

    device = PartialState().device
    return {
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "processor": platform.machine(),
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
    }


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    """Name the processor's model, where the system tells it."""
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip() or None
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or None
    return platform.processor() or None


def peak_memory_bytes() -> int:
    """Largest resident memory of this process and of any it ran; of the GPU where there is one."""
    import torch
    from accelerate.state import PartialState

    device = PartialState().device
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return max(_peak(children=False), _peak(children=True))


def peak_memory_of_children() -> int:
    """Largest resident memory of any process that this one ran, and that has ended."""
    return _peak(children=True)


def _peak(children: bool) -> int:
    import resource

    peak = resource.getrusage(resource.RUSAGE_CHILDREN if children else resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024
