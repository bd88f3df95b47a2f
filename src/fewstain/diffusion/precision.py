"""Which number format to train in, chosen once by the machine and kept in the training state."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import cache

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from torch import Tensor, nn

from fewstain.errors import UserError

# bfloat16 pays by a factor of 1.5 or more where the CPU computes it natively, and costs as much where it does not
# (measured). Anything between is a disturbed measurement: stay with float32.
LEAST_GAIN = 1.2


@dataclass(frozen=True)
class Precision:
    """Format of the network's arithmetic; weights and optimiser are always float32.

    Attributes
    ----------
    mixed
        What Accelerate calls mixed_precision: "no" (float32) or "bf16".
    channels_last
        Whether images lie in memory pixel by pixel.
    """

    mixed: str
    channels_last: bool

    def lay_out(self, tensor: Tensor) -> Tensor:
        """Bring (B, C, H, W) images into the memory order chosen."""
        return tensor.contiguous(memory_format=torch.channels_last) if self.channels_last else tensor


def start_accelerator(precision: Precision) -> Accelerator:
    """Accelerate for this device and precision; one process only, because the training state is one process's."""
    AcceleratorState._reset_state()  # it refuses a second training in one process with another precision
    accelerator = Accelerator(mixed_precision=precision.mixed)
    if accelerator.num_processes > 1:
        raise UserError("train-diffusion runs in one process; start it without `accelerate launch --multi_gpu`")
    return accelerator


def choose_precision() -> Precision:
    """Choose for this machine: what Accelerate was told, else bfloat16 where the hardware is fast at it.

    ACCELERATE_MIXED_PRECISION=no|bf16 decides where it is set. On a CPU, a fixed small network is timed rather than the
    one to be trained, so that the choice says something about the machine and is the same at every start.
    """
    device = PartialState().device
    told = os.environ.get("ACCELERATE_MIXED_PRECISION")
    if told in ("no", "bf16"):
        return Precision(told, channels_last=told == "bf16")
    if device.type == "cuda":
        return Precision("bf16" if torch.cuda.is_bf16_supported() else "no", channels_last=True)
    if device.type == "cpu":
        float32, bfloat16 = _probe_seconds()
        if float32 > LEAST_GAIN * bfloat16:
            return Precision("bf16", channels_last=True)
    return Precision("no", channels_last=False)


@cache  # a command may train several networks, and the machine stays what it is
def _probe_seconds(repeats: int = 5) -> tuple[float, float]:
    """Shortest time of a training step of a small network in (float32, bfloat16 with channels_last)."""
    formats = (Precision("no", channels_last=False), Precision("bf16", channels_last=True))
    best = [float("inf")] * len(formats)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn((8, 64, 32, 32), generator=generator)
    with torch.random.fork_rng(devices=()):
        probe = nn.Sequential(*[nn.Sequential(nn.Conv2d(64, 64, 3, padding=1), nn.SiLU()) for _ in range(4)])
    for _ in range(1 + repeats):  # the first is slower and never the shortest; formats take turns to share disturbances
        for number, precision in enumerate(formats):
            start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=precision.mixed == "bf16"):
                loss = probe(precision.lay_out(images)).square().mean()
            loss.backward()
            best[number] = min(best[number], time.perf_counter() - start)
    return best[0], best[1]
