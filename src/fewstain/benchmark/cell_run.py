"""What to run in one cell; without torch, for who only starts it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fewstain.benchmark_settings import MethodName
from fewstain.settings import Preset, Settings


@dataclass(frozen=True)
class CellRun:
    """What to run, see `fewstain.benchmark.plan.Cell`.

    Attributes
    ----------
    source
        Folder of the stain.
    settings, preset
        Numbers of our method, and of which preset most of them are.
    pretrained
        What was learned from the pool.
    seconds, steps, as_long_as
        Budget of a training on labels: one of the three; the last is the folder of a denoiser whose time it may take.
    budget
        In words, of every training of the method, also on the pool; None where nothing limits any.
    limit_seconds
        After which it is stopped.
    """

    source: Path
    stain: str
    method: MethodName
    n: int | None
    seed: int
    settings: Settings
    channels: tuple[int, ...] | None = None
    pretrained: Path | None = None
    seconds: float | None = None
    steps: int | None = None
    as_long_as: Path | None = None
    budget: str | None = None
    limit_seconds: float | None = None
    options: dict[str, str] | None = None
    preset: Preset = Preset.cpu
