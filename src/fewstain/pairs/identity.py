"""All that the pairs of a request depend on, by which their batches are known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fewstain.diffusion.network import WEIGHTS
from fewstain.errors import UserError
from fewstain.pair_settings import PairKind
from fewstain.pairs.making import Request, Stain, denoiser_folder, facts_of, layout_files, open_source
from fewstain.pairs.painter import CONTROL, FOLDER, LAYOUTS
from fewstain.stages import CODE_VERSIONS
from fewstain.storage import sha256_file

LAYOUTS_FROM = "layouts from"  # the key of the weights that sampled another stain's layouts


def identity_of(stain: Stain, request: Request) -> dict[str, Any]:
    """All that pairs depend on, by the names a user knows; of the pool only what is painted from it.

    `facts` is what their layouts are to look like, as a dictionary: gather-pairs chooses by it as well.

    Raises
    ------
    UserError
        A file that is missing, with the verb that writes it.
    """
    told = asdict(request) | {"kind": request.kind.value, "code": CODE_VERSIONS["pairs"]}
    told |= told.pop("wish")
    for name in ("layouts", "layouts_from", "source", "n_labels", "borrowed"):
        del told[name]
    own_layouts = request.layouts is None and request.layouts_from is None
    told["weights"] = _weights_sha256(stain.results, request.kind, own_layouts=own_layouts)
    if request.layouts_from is not None:
        _check_results(request.layouts_from, f"--layouts-from {request.layouts_from}")
        told[LAYOUTS_FROM] = _sha256([_layout_weights(request.layouts_from)], _to_train)
    told["model"] = _model_hash(stain)
    facts = facts_of(stain, request)
    told["facts"] = asdict(facts) if facts is not None else None
    if request.borrowed.denoiser is not None:
        told["denoiser"] = _sha256(list(request.borrowed.files()), lambda _: "name a folder that training wrote")
        told |= {"words": request.borrowed.words, "guidance_scale": request.borrowed.guidance_scale}
    if request.layouts is not None:
        told["layouts"] = _sha256(layout_files(request.layouts))
    if request.source is not None:
        windows = open_source(request).windows
        told["from"] = _sha256([file for window in windows for file in (window.image, window.labels)])
        told["edited images"] = [sha256_file(window.image) for window in windows]
        told["colours of"] = _sha256(stain.dataset.images)
    return told


def check_made_with(stain: Stain, identity: Mapping[str, Any], folder: Path) -> None:
    """Raise UserError where the pairs in a folder were made with another fit, or painted by other networks.

    Parameters
    ----------
    stain
        As it is now.
    identity
        Of the pairs, see `identity_of`.
    """
    own_layouts = not {"layouts", LAYOUTS_FROM} & identity.keys()
    weights = _weights_sha256(stain.results, PairKind(identity["kind"]), own_layouts=own_layouts)
    for told, then, now in (
        ("with another fit", identity["model"], _model_hash(stain)),
        ("by other networks", identity["weights"], weights),
    ):
        if then != now:
            raise UserError(
                f"{folder}: its pairs were made {told} than {stain.results} has; run `fewstain pairs` again"
            )


def _model_hash(stain: Stain) -> str | None:
    return stain.model.record.model_hash if stain.model is not None else None


def _weights_sha256(results: Path, kind: PairKind, *, own_layouts: bool) -> str:
    """Hash the weight files of the stain's networks, with that of its layouts where these are sampled."""
    _check_results(results, str(results))
    files = [denoiser_folder(results, kind) / "unet" / WEIGHTS]
    if kind is PairKind.layout:
        files.append(results / FOLDER / CONTROL / "controlnet" / WEIGHTS)
        files += [_layout_weights(results)] if own_layouts else []
    return _sha256(files, _to_train)


def _layout_weights(results: Path) -> Path:
    return results / FOLDER / LAYOUTS / "unet" / WEIGHTS


def _check_results(folder: Path, told: str) -> None:
    if not folder.is_dir():
        raise UserError(f"{told}: no such results folder; correct its name")


def _to_train(weights: Path) -> str:
    """Say what writes a network's weights, painter/PART/NETWORK/FILE or diffusion/NETWORK/FILE."""
    return f"run {'train-painter' if weights.parents[2].name == FOLDER else 'train-diffusion'} first"


def _sha256(files: Sequence[Path], remedy: Callable[[Path], str] = lambda _: "put it there again") -> str:
    """Hash files; `remedy` says of one what to do where it is missing."""
    for file in files:
        if not file.is_file():
            raise UserError(f"{file}: no such file; {remedy(file)}, or restore it from a backup")
    return hashlib.sha256(" ".join(map(sha256_file, files)).encode()).hexdigest()
