"""The training state: one file that holds all a training needs to go on, and is always whole."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from diffusers.training_utils import EMAModel
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from fewstain.diffusion.muon import Muon
from fewstain.diffusion.precision import Precision
from fewstain.errors import UserError
from fewstain.storage import atomic_path

STATE_FILE = "state.safetensors"
FORMAT = 1
LEFTOVERS = (".*.part.*", ".tmp*")  # of a session killed while it wrote a file: ours, and safetensors' own


Network = TypeVar("Network", bound=nn.Module)


@dataclass
class Training(Generic[Network]):
    """Everything that changes while training, and what it must not be mixed with.

    There are no random states: every step draws from a generator seeded by (seed, step).

    Attributes
    ----------
    network, optimisers, ema
        As they are after `step` steps; float32.
    losses
        (steps,) float32 on the network's device, filled up to `step`.
    identity
        Settings, seed, channels and pool; a state of another identity is refused.
    seconds
        Time spent in the training loop, earlier sessions included.
    """

    network: Network
    optimisers: tuple[Optimizer, ...]
    ema: EMAModel
    losses: Tensor
    precision: Precision
    identity: Mapping[str, Any]
    step: int = 0
    seconds: float = 0.0

    def save(self, folder: Path) -> None:
        """Write the state in place of the last one; killed at any moment, the folder holds the one or the other."""
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self._tensors().items()}
        facts = {
            "format": FORMAT,
            "step": self.step,
            "seconds": self.seconds,
            "precision": asdict(self.precision),
            "identity": self.identity,
            "checksum": _checksum(tensors),
        }
        with atomic_path(folder / STATE_FILE) as temporary:
            save_file(tensors, temporary, {"training": json.dumps(facts)})

    def restore(self, saved: SavedState) -> None:
        """Take over a saved state; the networks must be of the same settings, as `check_identity` makes sure."""
        for optimiser in self.optimisers:
            for parameter in (one for group in optimiser.param_groups for one in group["params"]):
                optimiser.state[parameter] = empty_state(optimiser, parameter)
        self.step, self.seconds, self.ema.optimization_step = saved.step, saved.seconds, saved.step
        with torch.no_grad():
            for name, tensor in self._tensors().items():
                tensor.copy_(saved.tensors[name])

    def averaged(self) -> Network:
        """Put the averages in the place of the weights, which ends the training; return the network, ready for use."""
        self.ema.copy_to(self.network.parameters())
        return self.network.eval()

    def _tensors(self) -> dict[str, Tensor]:
        """All tensors by name, not copied."""
        tensors = {"losses": self.losses}
        for (name, parameter), average in zip(self.network.named_parameters(), self.ema.shadow_params, strict=True):
            tensors |= {f"weight.{name}": parameter, f"ema.{name}": average}
            for optimiser in self.optimisers:
                for kind, tensor in optimiser.state.get(parameter, {}).items():
                    tensors[f"{kind}.{name}"] = tensor
        return tensors


def empty_state(optimiser: Optimizer, parameter: nn.Parameter) -> dict[str, Tensor]:
    """Make what an optimiser keeps of a parameter, to be filled; in the parameter's memory order, as it does itself."""
    if isinstance(optimiser, Muon):
        return {"momentum_buffer": torch.empty_like(parameter)}
    return {
        "step": torch.empty((), device=parameter.device if optimiser.defaults["fused"] else None),
        "exp_avg": torch.empty_like(parameter),
        "exp_avg_sq": torch.empty_like(parameter),
    }


@dataclass(frozen=True)
class SavedState:
    """A state as it lies in the file."""

    tensors: dict[str, Tensor]
    step: int
    seconds: float
    precision: Precision
    identity: dict[str, Any]


def read_state(folder: Path) -> SavedState | None:
    """Read the training state in `folder`; None if there is none.

    Raises
    ------
    UserError
        If the file is cut short, altered, or no training state.
    """
    path = folder / STATE_FILE
    if not path.is_file():
        return None
    remedy = f"delete the folder {folder} to train from the start, or restore it from a backup"
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads(file.metadata()["training"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        intact = facts["checksum"] == _checksum(tensors) and facts["format"] == FORMAT
        state = SavedState(tensors, facts["step"], facts["seconds"], Precision(**facts["precision"]), facts["identity"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as fault:
        raise UserError(f"{path}: no readable training state ({type(fault).__name__}: {fault}); {remedy}") from fault
    if not intact:
        raise UserError(f"{path}: damaged, its checksum does not fit; {remedy}")
    return state


def _checksum(tensors: Mapping[str, Tensor]) -> int:
    """CRC-32 over all tensors in the order of their names."""
    total = 0
    for name in sorted(tensors):
        total = zlib.crc32(tensors[name].numpy().tobytes(), total)
    return total


def open_state(folder: Path, identity: Mapping[str, Any], *, restart: bool) -> SavedState | None:
    """Read the state to go on from; None where there is none, or one that `restart` lets us forget.

    Raises
    ------
    UserError
        If the state is damaged or of another identity, unless `restart`.
    """
    for pattern in LEFTOVERS:
        for leftover in folder.glob(pattern):
            leftover.unlink(missing_ok=True)
    try:
        saved = read_state(folder)
        if saved is not None:
            check_identity(folder, saved.identity, identity)
        return saved
    except UserError:
        if not restart:
            raise
    (folder / STATE_FILE).unlink()
    return None


def check_identity(folder: Path, saved: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """Refuse to go on from a state of other settings or another pool.

    Raises
    ------
    UserError
        Naming each thing that changed, and the ways out.
    """
    current = json.loads(json.dumps(current))  # as it comes back from the file: tuples are lists
    changes = []
    for name in sorted(saved.keys() | current.keys()):
        before, now = saved.get(name), current.get(name)
        if before != now:
            changes.append(_pool_change(before, now) if name == "pool" else f"{name} was {before}, is {now}")
    if changes:
        raise UserError(
            f"{folder}: was training something else: {'; '.join(changes)}. "
            f"Restore what changed, or delete the folder {folder} to train anew"
        )


def _pool_change(before: Any, now: Any) -> str:
    """Say which images are new, gone or altered; both are lists of [name, sha256]."""
    old, new = dict(before or []), dict(now or [])
    kinds = {
        "added": sorted(new.keys() - old.keys()),
        "removed": sorted(old.keys() - new.keys()),
        "altered": sorted(name for name in old.keys() & new.keys() if old[name] != new[name]),
    }
    told = [
        f"{len(names)} {kind} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
        for kind, names in kinds.items()
        if names
    ]
    return f"images of the pool: {', '.join(told) or 'another order'}"
