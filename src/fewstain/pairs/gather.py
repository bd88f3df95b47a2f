"""From the batches of pairs to a folder of those kept, with a table of all."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any

import fewstain
from fewstain.diffusion.folder import check_replaceable, replaced_folder
from fewstain.pair_settings import PairKind
from fewstain.pairs.batches import IMAGES, LABELS, pair_files, pair_name, read_scores
from fewstain.pairs.filters import Limits, check_some_kept, choose, is_copy
from fewstain.pairs.likeness import Likeness
from fewstain.pairs.scores import PairScores
from fewstain.storage import write_json

TABLE_FILE, RECORD_FILE, DROPPED = "pairs.csv", "pairs.json", "dropped"
CONTENTS = {IMAGES, LABELS, DROPPED, TABLE_FILE, RECORD_FILE, ".snakemake_timestamp"}
MOST_DROPPED = 24  # dropped pairs whose files are kept to be looked at


@dataclass(frozen=True)
class Gathered:
    """How many pairs there are.

    Attributes
    ----------
    generated, kept
        How many were made, and how many of them were kept.
    dropped
        How many each filter dropped, each pair counted where it failed first.
    memorised
        Copies of training images, whichever filter dropped them.
    """

    generated: int
    kept: int
    dropped: Mapping[str, int]
    memorised: int


def gather(state: Path, out: Path, identity: Mapping[str, Any], limits: Limits, likeness: Likeness) -> Gathered:
    """Choose among the pairs of all batches, and write those kept.

    Parameters
    ----------
    state
        Folder of the batches.
    out
        Takes images/ and labels/, the pairs kept; dropped/, some of the others; pairs.csv, all scores of all pairs, and
        why each dropped one was; pairs.json. It appears whole.
    identity
        Of the batches, with their `kind`, `n` and `batch_size`; see `identity_of`.
    limits
        What pairs must keep to.
    likeness
        The pool, as far as copies were looked for in it.

    Raises
    ------
    UserError
        If batches are missing, or no pair is kept: `out` is then left as it was.
    """
    check_replaceable(out, CONTENTS, "pairs")
    n, batch_size = identity["n"], identity["batch_size"]
    scores = read_scores(state, n, batch_size)
    why = choose(scores, limits)
    check_some_kept(why, scores, limits, PairKind(identity["kind"]), drawn="layouts" in identity)
    with replaced_folder(out) as folder:
        left = MOST_DROPPED
        for number, fault in enumerate(why):
            if fault and not left:
                continue
            left -= bool(fault)
            place = folder / DROPPED if fault else folder
            for file, kind in zip(pair_files(state, number, batch_size), (IMAGES, LABELS), strict=True):
                (place / kind).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place / kind / file.name)
        write_table(folder / TABLE_FILE, scores, why)
        copies = sum(is_copy(each, limits) for each in scores)
        gathered = Gathered(n, why.count(""), Counter(fault for fault in why if fault), copies)
        write_json(folder / RECORD_FILE, describe(identity, limits, likeness, gathered))
    return gathered


def write_table(path: Path, scores: Sequence[PairScores], why: Sequence[str]) -> None:
    """Write pairs.csv: a row a pair; a score that could not be taken is empty."""
    names = [field.name for field in fields(PairScores)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("pair", "kept", "why", *names))
        for number, (each, fault) in enumerate(zip(scores, why, strict=True)):
            values = [getattr(each, name) for name in names]
            told = ["" if value is None else f"{value:.6g}" for value in values]
            writer.writerow((pair_name(number), "no" if fault else "yes", fault, *told))


def describe(identity: Mapping[str, Any], limits: Limits, likeness: Likeness, gathered: Gathered) -> dict[str, Any]:
    """Content of pairs.json."""
    told = {name: value if isfinite(value) else None for name, value in asdict(limits).items()}
    return {
        "made": dict(identity),
        "limits": told,
        "generated": gathered.generated,
        "kept": gathered.kept,
        "dropped": dict(gathered.dropped),
        "memorised": gathered.memorised,
        "images_not_searched_for_copies": likeness.left_out,
        "images_searched_in_their_middle": likeness.cut,
        "fewstain": fewstain.__version__,
    }
