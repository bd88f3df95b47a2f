"""The loop under every training: it saves its whole state, and goes on by running the same command again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from fewstain.diffusion.muon import Muon, hidden_matrices
from fewstain.diffusion.precision import Precision
from fewstain.diffusion.progress import StepProgress
from fewstain.diffusion.schedule import learning_rate
from fewstain.diffusion.state import Network, Training
from fewstain.diffusion.stopping import StopRequest
from fewstain.errors import TrainingError
from fewstain.settings import TrainingSettings

GRADIENT_NORM = 1.0
LOSS_WINDOW = 50  # steps over which the loss shown is averaged


def new_training(
    network: Network,
    settings: TrainingSettings,
    precision: Precision,
    device: torch.device,
    identity: Mapping[str, Any],
    parameters: Iterable[nn.Parameter] | None = None,
) -> Training[Network]:
    """Make the training of a network as it is before its first step.

    Parameters
    ----------
    network
        With the weights it begins from.
    settings
        Its rate of learning, its steps, and the decay of the weights' average.
    precision, device
        To compute with, and on.
    identity
        All that the final weights depend on, by the names a user knows.
    parameters
        Those to train; None for all of the network's.
    """
    if precision.channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network = network.to(device).train()
    optimisers = new_optimisers(network, list(network.parameters() if parameters is None else parameters), settings)
    ema = EMAModel(network.parameters(), decay=settings.ema_decay, foreach=True)
    return Training(network, optimisers, ema, torch.zeros(settings.steps, device=device), precision, identity)


def new_optimisers(
    network: nn.Module, parameters: list[nn.Parameter], settings: TrainingSettings
) -> tuple[Optimizer, ...]:
    """Make AdamW for all these parameters, or Muon for the network's matrices among them and AdamW for the rest."""
    trained = {id(each) for each in parameters}
    matrices = [each for each in hidden_matrices(network) if id(each) in trained] if settings.muon else []
    taken = {id(each) for each in matrices}
    others = [each for each in parameters if id(each) not in taken]
    rate, decay = settings.learning_rate, settings.weight_decay
    optimisers: list[Optimizer] = []
    if others:
        optimisers.append(AdamW(others, lr=rate, weight_decay=decay, fused=True))
    if matrices:
        optimisers.append(Muon(matrices, lr=rate, weight_decay=decay))
    return tuple(optimisers)


def run(
    training: Training[Network],
    loss_of: Callable[[int], Tensor],
    settings: TrainingSettings,
    accelerator: Accelerator,
    state: Path | None,
    title: str = "training",
) -> None:
    """Train up to the last step, saving the state now and then, at the end, and when asked to stop.

    Parameters
    ----------
    training
        Changed in place, from the step it has reached.
    loss_of
        Step number, from 0 -> () loss, with its graph. All chance in it comes from the number, so that there is no
        random state to save.
    settings
        As of `new_training`.
    accelerator
        Of the precision that the training has.
    state
        Folder of the saved state; None to keep none.
    title
        What the progress bar says.

    Raises
    ------
    TrainingError
        A loss that is no longer a number.
    KeyboardInterrupt
        Ctrl-C, after the state was saved.
    """
    torch.backends.cudnn.deterministic = True  # so that a resumed training equals an uninterrupted one
    began = saved_at = time.monotonic()
    seconds_before = training.seconds
    progress = StepProgress(
        title, settings.steps, done=training.step, images_per_step=settings.batch_size, device=accelerator.device
    )
    with StopRequest() as stop, progress:
        while training.step < settings.steps:
            training.losses[training.step] = descend(training, loss_of(training.step), settings, accelerator)
            training.step += 1
            if progress.due(training.step):
                recent = training.losses[max(0, training.step - LOSS_WINDOW) : training.step]
                progress.show(training.step, loss=float(recent.mean()))
            last = training.step == settings.steps
            if last or stop.requested or time.monotonic() - saved_at >= settings.checkpoint_seconds:
                check_finite(training, state)
                training.seconds = seconds_before + time.monotonic() - began
                if state is not None:
                    training.save(state)
                saved_at = time.monotonic()
            if stop.requested:
                break


def descend(training: Training[Network], loss: Tensor, settings: TrainingSettings, accelerator: Accelerator) -> Tensor:
    """Take one step down a loss, and return it without its graph."""
    for optimiser in training.optimisers:
        optimiser.zero_grad()
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(training.network.parameters(), GRADIENT_NORM)
    for optimiser in training.optimisers:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(training.step, settings)
        optimiser.step()
    training.ema.step(training.network.parameters())
    return loss.detach()


def check_finite(training: Training[Network], state: Path | None) -> None:
    """Refuse to go on with a training that has diverged."""
    finite = torch.isfinite(training.losses[: training.step])
    if not bool(finite.all()):
        first = int((~finite).nonzero()[0]) + 1
        remedy = "set a lower learning_rate" + (f", delete that folder {state}" if state is not None else "")
        raise TrainingError(f"the loss is no longer a number after step {first}; {remedy} and train again")
