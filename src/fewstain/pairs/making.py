"""A wish for pairs of a results folder -> the generator that makes them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from fewstain.dataset import Dataset, list_files, open_dataset
from fewstain.diffusion.network import Denoiser
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
from fewstain.pairs.painter import DIFFUSION, FOLDER, LAYOUTS, open_painter
from fewstain.pairs.recolour import recoloured
from fewstain.pairs.scoring import Scorer
from fewstain.pixels.folder import ENSEMBLE_FILE, load_pixels
from fewstain.pixels.model import Model
from fewstain.settings import SegmentSettings

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
    n_labels
        How many of the source's label files are taken, the first by name; None for all.
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
    n_labels: int | None = None
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
    if model:  # pairs are judged alike, whether the pool was segmented before or not
        model = replace(model, settings=SegmentSettings())
    facts = results / FOLDER / LAYOUTS
    return Stain(results, dataset, model, read_facts(facts) if (facts / FACTS_FILE).is_file() else None)


def painting_folder(results: Path) -> Path:
    """Folder of the denoiser that paints by itself: the painter's where there is one, for it was trained to paint."""
    own = results / FOLDER / DIFFUSION
    return own if own.is_dir() else results / DIFFUSION


def denoiser_folder(results: Path, kind: PairKind) -> Path:
    """Folder of the denoiser that paints pairs of a kind."""
    if kind is PairKind.edit:  # needs no painter, so what it makes must not depend on whether there is one
        return results / DIFFUSION
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
    scorer = Scorer(stain.model, likeness, facts_of(stain, request) if request.wish.size == 1 else None)
    size = (request.side, request.side)
    steps, batch_size = request.steps, request.batch_size
    if request.kind is PairKind.layout:
        source = layout_source(stain, request, denoiser)
        return LayoutPairs(source, painter, scorer, steps=steps, batch_size=batch_size), likeness
    if request.kind is PairKind.image:
        return ImagePairs(denoiser, record, scorer, size=size, steps=steps, batch_size=batch_size), likeness
    images = stain.dataset.images
    chosen = images[:: max(1, len(images) // 64)]
    pool = [read_picture(folder, record, path).planes[0].numpy() for path in chosen]
    pieces = recoloured(open_source(request), pool, request.side, request.wish.size)
    edited = EditPairs(pieces, denoiser, record, scorer, strength=request.strength, steps=steps, batch_size=batch_size)
    return edited, likeness


def facts_of(stain: Stain, request: Request) -> LayoutFacts | None:
    """Say what layouts of a request look like; None where that is not known, or somebody drew them."""
    if request.layouts is not None or request.source is not None:
        return None
    return stain.facts if request.layouts_from is None else read_facts(request.layouts_from / FOLDER / LAYOUTS)


def layout_source(stain: Stain, request: Request, denoiser: Denoiser) -> LayoutSource:
    """Where the layouts of a request come from."""
    if request.layouts is not None:
        return GivenLayouts(tuple(layout_files(request.layouts)))
    model = open_layouts((request.layouts_from or stain.results) / FOLDER / LAYOUTS)
    multiple = denoiser.multiple
    if request.side % multiple:
        raise UserError(f"--side {request.side}: this painter needs a multiple of {multiple}")
    return SampledLayouts(model, (request.side, request.side), request.steps, request.wish)


def open_source(request: Request) -> Dataset:
    """Open the dataset whose labeled images are to be edited, with no more labels than asked for."""
    assert request.source is not None
    source = open_dataset(request.source)
    return replace(source, windows=source.windows[: request.n_labels])


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
    if request.n_labels is not None and request.source is None:
        raise UserError("--n-labels: counts the label files of --from DATASET_DIR; leave it out")
    arranged = request.wish.crowding != 1 or request.wish.count is not None
    if arranged and (not layout or request.layouts is not None):
        raise UserError("--crowding and --count: only sampled layouts can be changed; leave them out")
    if request.wish.size != 1 and (request.kind is PairKind.image or request.layouts is not None):
        raise UserError(
            "--size: only the objects of sampled layouts, or of another stain, can be enlarged; leave it out"
        )
    if request.kind is PairKind.image and stain.model is None:
        raise UserError(
            f"{stain.results / PIXELS}: no fitted model, which is to label the images; paint labeled images of another "
            "stain with --kind edit --from DATASET_DIR, or label some of this one and run fit-pixels first"
        )
