"""Making pairs and gathering them: what the verbs `pairs` and `gather-pairs` do."""

from __future__ import annotations

from pathlib import Path

from fewstain.dataset import open_dataset
from fewstain.diffusion.folder import check_replaceable
from fewstain.diffusion.pictures import open_denoiser
from fewstain.errors import UserError
from fewstain.pair_settings import PairKind
from fewstain.pairs.batches import (
    IDENTITY_FILE,
    forget_others,
    last_asked_for,
    make_batches,
    missing_batches,
    open_state,
    shard_batches,
)
from fewstain.pairs.gather import CONTENTS, Gathered, gather
from fewstain.pairs.identity import check_made_with, identity_of
from fewstain.pairs.layouts import LayoutFacts
from fewstain.pairs.likeness import Likeness
from fewstain.pairs.limits import Asked, choose_limits
from fewstain.pairs.making import (
    Request,
    Stain,
    build_generator,
    check_request,
    denoiser_folder,
    open_stain,
)
from fewstain.storage import read_json


def default_state(out: Path) -> Path:
    """Folder of the batches where none was given."""
    return out.with_name(f".{out.name}.batches")


def make_pairs(
    results: Path,
    data: Path,
    out: Path,
    request: Request,
    asked: Asked,
    *,
    state: Path | None = None,
    shard: tuple[int, int] | None = None,
) -> Gathered | int:
    """Make pairs; all of them and gather them, or those of one shard.

    Parameters
    ----------
    results, data
        Results folder and dataset folder of the stain.
    out
        Folder for the pairs kept; see `gather`.
    request, asked
        Which pairs, and what they must keep to.
    state
        Folder of the batches made so far; the same call goes on from it. By default beside `out`.
    shard
        (i, k): every k-th batch from the i-th on, counted from 1; gathered later, by `gather_pairs`.

    Returns
    -------
    Gathered or int
        How many were kept; of a shard, how many batches were made.

    Raises
    ------
    UserError
        A part of the results that is missing or damaged; options that do not go together; no pair that is kept.
    """
    if shard is None:
        check_replaceable(out, CONTENTS, "pairs")
    stain = open_stain(results, open_dataset(data))
    check_request(stain, request)
    _check_asked(asked, request.kind, shard)
    folder = open_state(state or default_state(out), identity_of(stain, request), out)
    batches = shard_batches(request.n, request.batch_size, *(shard or (1, 1)))
    if shard is not None and not missing_batches(folder, batches):
        return 0
    generator, likeness = build_generator(stain, request)
    made = make_batches(generator, folder, batches, request.n, request.seed)
    if shard is not None:
        return made
    return _gathered(folder, out, asked, stain, likeness)


def gather_pairs(results: Path, data: Path, out: Path, asked: Asked, *, state: Path | None = None) -> Gathered:
    """Gather the pairs that all shards have made.

    Raises
    ------
    UserError
        If shards are missing, or were made with another fit or by other networks, or no pair is kept.
    """
    batches = last_asked_for(state or default_state(out), out)
    identity = read_json(batches / IDENTITY_FILE)
    stain = open_stain(results, open_dataset(data))
    kind = PairKind(identity["kind"])
    _check_asked(asked, kind)
    check_made_with(stain, identity, batches)
    folder = denoiser_folder(results, kind)
    likeness = stain.likeness(folder, open_denoiser(folder)[1], identity["side"])
    return _gathered(batches, out, asked, stain, likeness)


def _gathered(folder: Path, out: Path, asked: Asked, stain: Stain, likeness: Likeness) -> Gathered:
    identity = read_json(folder / IDENTITY_FILE)
    facts = LayoutFacts(**identity["facts"]) if identity["facts"] is not None else None
    limits = choose_limits(
        asked,
        model=stain.model,
        dataset=stain.dataset,
        likeness=likeness,
        facts=facts,
        layout=identity["kind"] != PairKind.image,
    )
    gathered = gather(folder, out, identity, limits, likeness)
    forget_others(folder, out)
    return gathered


def _check_asked(asked: Asked, kind: PairKind, shard: tuple[int, int] | None = None) -> None:
    if shard is not None and asked != Asked():
        raise UserError(
            "--keep, --min-agreement, --max-distance: a shard keeps all it makes; give them to gather-pairs"
        )
    if asked.agreement is not None and kind is PairKind.image:
        raise UserError("--min-agreement: images that came first have no layout to agree with; use --keep")
