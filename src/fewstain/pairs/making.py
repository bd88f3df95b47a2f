"""A wish for pairs of a results folder -> the generator that makes them, and all that they depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fewstain.dataset import Dataset, list_files, open_dataset
from fewstain.diffusion.network import WEIGHTS, Denoiser
from fewstain.diffusion.pictures import open_denoiser, read_picture
from fewstain.diffusion.record import DenoiserRecord
from fewstain.errors import UserError
from fewstain.images.read import LABEL_EXTENSIONS
from fewstain.pair_settings import PairKind
from fewstain.pairs.arrange import Wish
from fewstain.pairs.borrowed import Borrowed
from fewstain.pairs.generators import (
    BatchedGenerator,
    EditPairs,
    GivenLayouts,
    ImagePairs,
    LayoutPairs,
    LayoutSource,
    SampledLayouts,
)
from fewstain.pairs.layouts import FACTS_FILE, LayoutFacts, open_layouts, read_facts
from fewstain.pairs.likeness import Likeness, describe_pool
from fewstain.pairs.painter import CONTROL, DIFFUSION, FOLDER, LAYOUTS, open_painter
from fewstain.pairs.recolour import recoloured
from fewstain.pairs.scoring import Scorer
from fewstain.pixels.folder import ENSEMBLE_FILE, load_pixels
from fewstain.pixels.model import Model
from fewstain.stages import CODE_VERSIONS
from fewstain.storage import sha256_file

PIXELS = "pixels"


@dataclass(frozen=True)
class Request:
    """Which pairs to make.

    Attributes
    ----------
    kind
        What is made first.
    n, seed
        How many, and which.
    side
        Of the images, pixels; layouts that were given keep their own size.
    steps
        Evaluations of the network for each image, and for each layout.
    batch_size
        Pairs computed together.
    wish
        How layouts are to differ from those learned; of `size`, also how labeled images of another stain are enlarged.
    layouts
        A folder of label images to paint, in place of sampled ones.
    layouts_from
        Another results folder, whose layouts are to be painted.
    source
        Another dataset, whose labeled images are to be edited.
    strength
        Of the edit.
    borrowed
        A denoiser of other stains that paints in place of the stain's own.
    """

    kind: PairKind
    n: int
    seed: int = 0
    side: int = 128
    steps: int = 30
    batch_size: int = 4
    wish: Wish = field(default_factory=Wish)
    layouts: Path | None = None
    layouts_from: Path | None = None
    source: Path | None = None
    strength: float = 0.4
    borrowed: Borrowed = field(default_factory=Borrowed)


@dataclass(frozen=True)
class Stain:
    """What is there of a stain to judge pairs by; None where it is not.

    Attributes
    ----------
    results
        Its results folder.
    dataset
        Its images and labels.
    model
        The fitted model.
    facts
        What its layouts look like.
    """

    results: Path
    dataset: Dataset
    model: Model | None
    facts: LayoutFacts | None

    def likeness(self, folder: Path, record: DenoiserRecord, side: int) -> Likeness:
        """Describe the pool, as the denoiser in a folder sees it."""
        images = self.dataset.images
        return describe_pool(
            lambda index: read_picture(folder, record, images[index]).planes[0].numpy(), len(images), side
        )


def open_stain(results: Path, dataset: Dataset) -> Stain:
    """Open what there is; UserError where a part is damaged."""
    model = load_pixels(results) if (results / PIXELS / ENSEMBLE_FILE).is_file() else None
    facts = results / FOLDER / LAYOUTS
    return Stain(results, dataset, model, read_facts(facts) if (facts / FACTS_FILE).is_file() else None)


def painting_folder(results: Path) -> Path:
    """Folder of the denoiser that paints by itself: the painter's where there is one, for it was trained to paint."""
    own = results / FOLDER / DIFFUSION
    return own if own.is_dir() else results / DIFFUSION


def denoiser_folder(results: Path, kind: PairKind) -> Path:
    """Folder of the denoiser that paints pairs of a kind."""
    return results / FOLDER / DIFFUSION if kind is PairKind.layout else painting_folder(results)


def build_generator(stain: Stain, request: Request) -> tuple[BatchedGenerator, Likeness]:
    """Open the networks and describe the pool; see `check_request`.

    Raises
    ------
    UserError
        A part that is missing or damaged.
    """
    folder = denoiser_folder(stain.results, request.kind)
    if request.kind is PairKind.layout:
        painter = open_painter(stain.results)
        denoiser, record = painter.denoiser, painter.record
    else:
        denoiser, record = open_denoiser(folder)
        if request.borrowed.denoiser is not None:
            denoiser = request.borrowed.open(record)
    likeness = stain.likeness(folder, record, request.side)
    facts = stain.facts
    if request.layouts_from is not None:
        facts = read_facts(request.layouts_from / FOLDER / LAYOUTS)
    resized = request.wish.size != 1 or request.layouts is not None or request.source is not None
    scorer = Scorer(stain.model, likeness, None if resized else facts)
    size = (request.side, request.side)
    steps, batch_size = request.steps, request.batch_size
    if request.kind is PairKind.layout:
        source = layout_source(stain, request, denoiser)
        return LayoutPairs(source, painter, scorer, steps=steps, batch_size=batch_size), likeness
    if request.kind is PairKind.image:
        return ImagePairs(denoiser, record, scorer, size=size, steps=steps, batch_size=batch_size), likeness
    assert request.source is not None
    images = stain.dataset.images
    chosen = images[:: max(1, len(images) // 64)]
    pool = [read_picture(folder, record, path).planes[0].numpy() for path in chosen]
    pieces = recoloured(open_dataset(request.source), pool, request.side, request.wish.size)
    edited = EditPairs(pieces, denoiser, record, scorer, strength=request.strength, steps=steps, batch_size=batch_size)
    return edited, likeness


def layout_source(stain: Stain, request: Request, denoiser: Denoiser) -> LayoutSource:
    """Where the layouts of a request come from."""
    if request.layouts is not None:
        return GivenLayouts(tuple(layout_files(request.layouts)))
    model = open_layouts((request.layouts_from or stain.results) / FOLDER / LAYOUTS)
    multiple = denoiser.multiple
    if request.side % multiple:
        raise UserError(f"--side {request.side}: this painter needs a multiple of {multiple}")
    return SampledLayouts(model, (request.side, request.side), request.steps, request.wish)


def layout_files(folder: Path) -> list[Path]:
    """Label images in a folder; UserError where there are none."""
    files = list_files(folder, LABEL_EXTENSIONS)
    if not files:
        raise UserError(f"--layouts {folder}: no label images there; save some as TIFF or PNG, 0 = background")
    return files


def check_request(stain: Stain, request: Request) -> None:
    """Raise UserError where options do not go together, or what they need is missing."""
    layout = request.kind is PairKind.layout
    request.borrowed.check()
    if layout and request.borrowed.denoiser is not None:
        raise UserError("--denoiser: layouts are painted by the painter of the results; leave it out")
    for name, given in (("--layouts", request.layouts), ("--layouts-from", request.layouts_from)):
        if given is not None and not layout:
            raise UserError(f"{name}: only pairs of --kind layout have layouts that are painted; leave it out")
    if request.layouts is not None and request.layouts_from is not None:
        raise UserError("--layouts and --layouts-from: give one of the two")
    if (request.source is not None) != (request.kind is PairKind.edit):
        raise UserError("--kind edit and --from DATASET_DIR go together: its labeled images are what is edited")
    arranged = request.wish.crowding != 1 or request.wish.count is not None
    if arranged and (not layout or request.layouts is not None):
        raise UserError("--crowding and --count: only sampled layouts can be changed; leave them out")
    if request.wish.size != 1 and (request.kind is PairKind.image or request.layouts is not None):
        raise UserError(
            "--size: only the objects of sampled layouts, or of another stain, can be enlarged; leave it out"
        )
    if request.kind is PairKind.image and stain.model is None:
        raise UserError(
            f"{stain.results / PIXELS}: no fitted model, which is to label the images; run fit-pixels first, or paint "
            "layouts of another stain with --layouts-from"
        )


def identity_of(stain: Stain, request: Request) -> dict[str, Any]:
    """All that pairs depend on, by the names a user knows; of the pool only what is painted from it."""
    told = asdict(request) | {"kind": request.kind.value, "code": CODE_VERSIONS["pairs"]}
    told |= told.pop("wish")
    for name in ("layouts", "layouts_from", "source", "borrowed"):
        del told[name]
    weights = [denoiser_folder(stain.results, request.kind) / "unet" / WEIGHTS]
    if request.kind is PairKind.layout:
        weights.append(stain.results / FOLDER / CONTROL / "controlnet" / WEIGHTS)
        if request.layouts is None:
            weights.append((request.layouts_from or stain.results) / FOLDER / LAYOUTS / "unet" / WEIGHTS)
    told["weights"] = _sha256(weights)
    told["model"] = stain.model.record.model_hash if stain.model is not None else None
    if request.borrowed.denoiser is not None:
        told["denoiser"] = _sha256(list(request.borrowed.files()), "name a folder that training wrote")
        told |= {"words": request.borrowed.words, "guidance_scale": request.borrowed.guidance_scale}
    if request.layouts is not None:
        told["layouts"] = _sha256(layout_files(request.layouts))
    if request.source is not None:
        windows = open_dataset(request.source).windows
        told["from"] = _sha256([file for window in windows for file in (window.image, window.labels)])
        told["colours of"] = _sha256(stain.dataset.images)
    return told


def _sha256(files: Sequence[Path], remedy: str = "run train-painter first") -> str:
    for file in files:
        if not file.is_file():
            raise UserError(f"{file}: no such file; {remedy}, or restore it from a backup")
    return hashlib.sha256(" ".join(map(sha256_file, files)).encode()).hexdigest()
