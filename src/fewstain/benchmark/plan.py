"""Which cells a benchmark has, what each depends on, and where its result lies."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fewstain.benchmark.identity import (
    PRETRAINED,
    TRAINED,
    backbone,
    budget_kind,
    cell_facts,
    data_facts,
    denoiser_folder_facts,
    digest,
    numbers_of,
    pool_facts,
)
from fewstain.benchmark.trial import available_labels, fingerprint, refuse_untested
from fewstain.benchmark_settings import ALL_LABELS, BenchmarkSettings, MethodName
from fewstain.errors import UserError
from fewstain.overrides import cli_options

M = MethodName


@dataclass(frozen=True)
class Pretraining:
    """What is learned once from the pool of a stain.

    Attributes
    ----------
    kind
        "diffusion", "mae", "vae" or "gan".
    hash, weights
        Over what names its folder, and over what its weights depend on: the denoiser's folder is named by more.
    like
        The training that it may take as long as; None where it is told a budget, or is our own.
    channels
        Which of the images' channels it sees; None for all.
    """

    kind: str
    stain: str
    source: Path
    hash: str
    weights: str
    like: Pretraining | None = None
    channels: tuple[int, ...] | None = None

    @property
    def name(self) -> str:
        """Path of its folder below the benchmark's."""
        return f"{self.stain}/{self.kind}-{self.hash}"


@dataclass(frozen=True)
class Cell:
    """One method on one trial.

    Attributes
    ----------
    n
        Labeled windows; None for all there are.
    seed
        Which windows, and of the method.
    pretraining, budget_of
        What it builds on, and the training that its own may take as long as; None where it needs none.
    hash
        Over its code version, its settings, its data and the channels that were chosen of them.
    channels
        Which of the images' channels it sees; None for all.
    data, budget, backbone
        Fingerprint of the stain; what its trainings may take; what was trained elsewhere: a cell of an earlier version
        must agree in these.
    """

    method: MethodName
    stain: str
    source: Path
    n: int | None
    seed: int
    pretraining: Pretraining | None
    budget_of: Pretraining | None
    hash: str
    channels: tuple[int, ...] | None = None
    data: str = ""
    budget: str | None = None
    backbone: str | None = None

    @property
    def trains(self) -> bool:
        """Whether it trains on labels for as long as it is told."""
        return self.method in TRAINED

    @property
    def trial(self) -> str:
        """Name of what it measures, whatever the version."""
        n = "all" if self.n is None else self.n
        return f"{self.stain}-{self.method.value}-n{n}-seed{self.seed}"

    @property
    def name(self) -> str:
        """Name of its file, without .json."""
        return f"{self.trial}-{self.hash}"


@dataclass(frozen=True)
class Plan:
    """All cells of a benchmark; `left_out` says of a method that cannot run here why."""

    cells: tuple[Cell, ...]
    left_out: dict[MethodName, str]

    @property
    def pretrainings(self) -> tuple[Pretraining, ...]:
        """What the cells build on, each once."""
        found = [each for cell in self.cells for each in (cell.pretraining, cell.budget_of) if each is not None]
        found += [each.like for each in found if each.like is not None]
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class _Stain:
    """What the cells of a stain share: `available` labeled windows; `facts` of its data go into each hash."""

    name: str
    source: Path
    channels: tuple[int, ...] | None
    available: int
    facts: dict[str, Any]


def make_plan(
    settings: BenchmarkSettings,
    data: str | Path = "data",
    datasets: Collection[str] = (),
    channels: Mapping[str, Sequence[int] | None] | None = None,
) -> Plan:
    """List the cells.

    Parameters
    ----------
    settings
        What to compare.
    data, datasets
        Folder of the datasets and their names, which `settings.stains` may use.
    channels
        Which of their images' channels to use, by a dataset's name; all of those that have none here.

    Raises
    ------
    UserError
        A folder that is not there or has no labels, or none of test images; two folders of one name; a seed that a
        stain has no windows of.
    """
    left_out = {each: reason for each in settings.methods if (reason := unavailable(each, settings))}
    methods = [each for each in settings.methods if each not in left_out]
    sources: dict[str, Path] = {}
    for given in settings.stains:
        source = Path(data, given) if given in datasets else Path(given)
        if sources.setdefault(source.resolve().name, source) is not source:
            raise UserError(f"benchmark: stains: two folders are called {source.resolve().name!r}; rename one")
    of_folder = {Path(data, name): chosen for name, chosen in (channels or {}).items()}
    stains = [_stain(name, source, of_folder.get(source), settings.seeds) for name, source in sources.items()]
    return Plan(tuple(cell for stain in stains for cell in _cells(stain, methods, settings)), left_out)


def unavailable(method: MethodName, settings: BenchmarkSettings) -> str | None:
    """Say why a method cannot run here; None where it can."""
    if method is M.cellpose and not Path(settings.cellpose).exists():
        return f"no environment with Cellpose at {settings.cellpose}; benchmarks/cellpose-environment makes it"
    if method is M.cellpose and settings.cellpose_weights is not None and not Path(settings.cellpose_weights).is_file():
        return f"no weights at {settings.cellpose_weights}; mend or remove `cellpose_weights`"
    if method is M.timm:
        missing = [name for name in ("timm", "torchvision") if importlib.util.find_spec(name) is None]
        if missing:
            return f"{' and '.join(missing)} not installed"
        if settings.weights is None or not Path(settings.weights).is_file():
            return "no weights; give their file as `weights`"
    return None


def budget_options(settings: BenchmarkSettings, like: str | Path | None) -> list[str]:
    """Options that tell how long a training may take: as long as that of the folder `like` where untold."""
    if settings.steps is not None:
        return ["--steps", str(settings.steps)]
    if settings.seconds is not None:
        return ["--seconds", f"{settings.seconds:g}"]
    return ["--as-long-as", str(like)] if like is not None else []


def cell_options(cell: Cell, settings: BenchmarkSettings) -> list[str]:
    """Options of `fewstain benchmark-cell`, but for folders that the workflow knows."""
    options = [str(cell.source), "--method", cell.method.value, "--stain", cell.stain, "--seed", str(cell.seed)]
    options += [] if cell.n is None else ["--n", str(cell.n)]
    options += channel_options(cell.channels)
    options += [] if cell.budget is None else ["--budget", cell.budget]
    options += [] if settings.limit_seconds is None else ["--limit-seconds", f"{settings.limit_seconds:g}"]
    if cell.method is M.cellpose:
        options += ["--cellpose", settings.cellpose]
        options += [] if settings.cellpose_weights is None else ["--cellpose-weights", settings.cellpose_weights]
    if cell.method is M.timm:
        options += ["--timm", settings.timm, "--weights", str(settings.weights)]
    return options + cli_options(numbers_of(settings), settings.preset)


def channel_options(channels: Sequence[int] | None) -> list[str]:
    """Options that tell which of the images' channels to use; none for all."""
    return [] if channels is None else ["--channels", ",".join(map(str, channels))]


def _stain(name: str, source: Path, channels: Sequence[int] | None, seeds: Sequence[int]) -> _Stain:
    chosen = None if channels is None else tuple(channels)
    available = available_labels(source, seeds)
    refuse_untested(source)
    return _Stain(name, source, chosen, available, data_facts(fingerprint(source), chosen))


def _cells(stain: _Stain, methods: Sequence[MethodName], settings: BenchmarkSettings) -> list[Cell]:
    ours = _pretraining("diffusion", stain, settings)
    like = ours if _as_long_as_ours(settings) else None
    others = {PRETRAINED[each] for each in methods if each in PRETRAINED} - {ours.kind}
    pretrainings = {kind: _pretraining(kind, stain, settings, like) for kind in sorted(others)}
    pretrainings[ours.kind] = ours
    cells = []
    for method in methods:
        # fewer labels than asked for are all there are
        counts = [None] if method in ALL_LABELS else sorted({min(n, stain.available) for n in settings.n})
        pretraining = pretrainings.get(PRETRAINED.get(method, ""))
        budget_of = like if method in TRAINED else None
        facts = cell_facts(method, settings, budget_of is not None) | stain.facts
        facts["pretraining"] = None if pretraining is None else pretraining.weights
        budget, elsewhere = budget_kind(method, settings), backbone(method, settings.model_dump())
        told = (stain.channels, stain.facts["data"], budget, elsewhere)
        for n in counts:
            for seed in settings.seeds:
                name = digest(facts | {"n": n, "seed": seed})
                where = (stain.name, stain.source, n, seed)
                cells.append(Cell(method, *where, pretraining, budget_of, name, *told))
    return cells


def _as_long_as_ours(settings: BenchmarkSettings) -> bool:
    return settings.seconds is None and settings.steps is None


def _pretraining(kind: str, stain: _Stain, settings: BenchmarkSettings, like: Pretraining | None = None) -> Pretraining:
    weights = digest(pool_facts(kind, settings, like is not None) | stain.facts)
    folder = digest(denoiser_folder_facts(settings) | stain.facts) if kind == "diffusion" else weights
    return Pretraining(kind, stain.name, stain.source, folder, weights, like, stain.channels)
