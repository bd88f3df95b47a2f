"""What a segmenter is made from: a results folder's models, its labels, synthetic pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fewstain.dataset import Dataset
from fewstain.diffusion.network import Denoiser, load_denoiser
from fewstain.diffusion.record import read_record as read_denoiser_record
from fewstain.errors import UserError
from fewstain.images.read import stem
from fewstain.pairs.reading import read_pairs
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.record import ONE_CLASS, PixelsRecord, read_record
from fewstain.pixels.windows import labeled_windows
from fewstain.settings import DiffusionSettings
from fewstain.storage import sha256_file


@dataclass(frozen=True)
class Sources:
    """What a segmenter is made from: a results folder's models, and what there is to learn from.

    Attributes
    ----------
    denoiser, settings
        Of the results folder, and how the denoiser was built.
    record
        Of the ensemble.
    windows, fold
        Its labeled windows, and the fold of each.
    pairs
        Synthetic pairs as windows; an edit of a labeled window has its group.
    """

    denoiser: Denoiser
    settings: DiffusionSettings
    record: PixelsRecord
    windows: Sequence[LabeledWindow]
    fold: NDArray[np.int64]
    pairs: Sequence[LabeledWindow] = ()


def read_sources(results: Path, dataset: Dataset, pairs: Sequence[Path]) -> Sources:
    """Read what a segmenter is made from.

    Raises
    ------
    UserError
        Other labels than the ensemble was fitted to; pairs where the labels have classes; else as of
        `labeled_windows`, `read_record`, `load_denoiser`.
    """
    record, denoiser = read_record(results / "pixels"), load_denoiser(results / "diffusion")
    names = () if record.classes == ONE_CLASS else record.classes
    if pairs and names:
        raise UserError(
            f"{pairs[0]}: painted objects have no class, but the labels have {', '.join(names)}; leave --pairs out"
        )
    windows = labeled_windows(dataset, record.normaliser, record.channels, denoiser.multiple, names, record.n_labels)
    fold_of = {row["window"]: int(row["fold"]) for row in record.choices["folds"]}
    missing = sorted({window.name for window in windows} ^ fold_of.keys())
    if missing:
        raise UserError(
            f"{dataset.root / 'labels'}: {missing[0]} was added or removed since the pixels were fitted; "
            "run fit-pixels again"
        )
    fold = np.array([fold_of[window.name] for window in windows], np.int64)
    built = DiffusionSettings(**read_denoiser_record(results / "diffusion").settings)
    groups = {sha256_file(path): stem(path) for path in {each.image for each in dataset.windows}} if pairs else {}
    channels = record.channels, record.file_channels
    made = [
        pair for folder in pairs for pair in read_pairs(folder, record.normaliser, *channels, denoiser.multiple, groups)
    ]
    return Sources(denoiser, built, record, windows, fold, made)
