"""Verbs of synthetic pairs: train-painter, pairs, gather-pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fewstain.cli.options import PresetOption, RestartOption, SeedOption, SetOption, say, settings_help
from fewstain.cli.painting import AdapterOption, GuidanceOption, LikeOption, WordsOption
from fewstain.errors import UserError
from fewstain.overrides import parse_set
from fewstain.pair_settings import LAYOUT_PRESETS, PAINTER_PRESETS, LayoutSettings, PainterSettings, PairKind
from fewstain.settings import Preset
from fewstain.validation import validate

if TYPE_CHECKING:
    from fewstain.pairs.gather import Gathered

DataOption = Annotated[
    Path | None, typer.Option(help="The dataset's folder, if not where dataset.json of the results says.")
]
OutOption = Annotated[Path, typer.Option(help="Folder for the pairs kept; it appears whole, at the end.")]
StateOption = Annotated[
    Path | None,
    typer.Option(help="Folder of the pairs made so far, by default beside --out: the same command goes on."),
]
AgreementOption = Annotated[
    float | None,
    typer.Option("--min-agreement", min=0, max=1, help="Least panoptic quality; by default what the labels say."),
]
DistanceOption = Annotated[
    float | None,
    typer.Option("--max-distance", min=0, help="Largest distance to the pool; by default what real images say."),
]
KeepOption = Annotated[
    float | None,
    typer.Option(min=0.001, max=1, help="Share kept, the least uncertain; by default half of image-first pairs."),
]
PairResults = Annotated[Path, typer.Argument(metavar="RESULTS_DIR", help="A results folder, with diffusion/ in it.")]
SECTIONS = ("layouts", "painter")


def add_to(app: typer.Typer) -> None:
    """Register these verbs."""
    told = settings_help(LayoutSettings, "layouts"), settings_help(PainterSettings, "painter")
    app.command("train-painter", epilog="\n\n".join(told))(train_painter)
    app.command("pairs")(pairs)
    app.command("gather-pairs")(gather_pairs)
    app.command("report-pairs")(report_pairs)


def train_painter(
    results: PairResults,
    state: Annotated[
        Path | None,
        typer.Option(help="Folder for the training state, by default RESULTS_DIR/.training/painter."),
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="Folder of masks of the images, as of `segment`, if not RESULTS_DIR/masks.")
    ] = None,
    data: DataOption = None,
    preset: PresetOption = Preset.cpu,
    changes: SetOption = None,
    n_labels: Annotated[
        int | None, typer.Option(min=1, help="Use only the first so many label files, by name.")
    ] = None,
    seed: SeedOption = 0,
    restart: RestartOption = False,
) -> None:
    """Learn layouts from the masks of the pool, and to paint images of them: writes RESULTS_DIR/painter.

    The same command goes on where it was stopped.
    """
    layouts, painter = _sections(preset, changes)
    from fewstain.dataset import open_dataset
    from fewstain.pairs import painter_training
    from fewstain.provenance import find_dataset

    dataset = open_dataset(find_dataset(results, data))
    place = state or results / ".training" / "painter"
    painter_training.train_painter(
        results, dataset, place, layouts, painter, masks=masks, n_labels=n_labels, seed=seed, restart=restart
    )
    say(f"wrote {results / 'painter'}")


def pairs(
    results: PairResults,
    out: OutOption,
    n: Annotated[int, typer.Option("-n", min=1, help="How many to make; fewer are kept.")] = 100,
    kind: Annotated[PairKind, typer.Option(help="What is made first.")] = PairKind.layout,
    side: Annotated[int, typer.Option(min=16, help="Of the images, pixels.")] = 128,
    layouts: Annotated[Path | None, typer.Option(help="Folder of label images to paint, your own perhaps.")] = None,
    layouts_from: Annotated[
        Path | None, typer.Option(help="Results folder of another stain, whose layouts are to be painted in this one.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="Dataset folder of another stain, whose labeled images --kind edit repaints."),
    ] = None,
    strength: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="--kind edit: from 0, nothing is repainted, to 1, nothing stays.")
    ] = 0.4,
    n_labels: Annotated[
        int | None, typer.Option(min=1, help="--kind edit: only the first so many label files of --from, by name.")
    ] = None,
    denoiser: Annotated[
        Path | None,
        typer.Option(
            help="--kind edit and image: another stain's denoiser, or one of several, paints in place of its own."
        ),
    ] = None,
    adapter: AdapterOption = None,
    words: WordsOption = None,
    like: LikeOption = None,
    guidance_scale: GuidanceOption = None,
    crowding: Annotated[float, typer.Option(min=0.01, help="Area covered by objects, times what was learned.")] = 1.0,
    size: Annotated[float, typer.Option(min=0.25, max=4.0, help="Diameter of objects, times what was learned.")] = 1.0,
    count: Annotated[int | None, typer.Option(min=1, help="Objects in each layout.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Evaluations of the network for each image.")] = 30,
    batch_size: Annotated[int, typer.Option(min=1, help="Pairs computed together.")] = 4,
    shard: Annotated[
        str | None, typer.Option(metavar="I/K", help="Make only this of k shares; then run gather-pairs.")
    ] = None,
    keep: KeepOption = None,
    agreement: AgreementOption = None,
    distance: DistanceOption = None,
    state: StateOption = None,
    data: DataOption = None,
    seed: SeedOption = 0,
) -> None:
    """Make synthetic pairs of an image and its labels, and keep the good ones.

    Writes images/ and labels/ of those kept, some of the others to dropped/, and pairs.csv: all scores of all pairs,
    and why each dropped one was. A pair depends on the seed and its number only.
    """
    part = shard_of(shard) if shard is not None else None
    from fewstain.pairs.arrange import Wish
    from fewstain.pairs.borrowed import Borrowed
    from fewstain.pairs.gather import Gathered
    from fewstain.pairs.limits import Asked
    from fewstain.pairs.making import Request
    from fewstain.pairs.run import make_pairs
    from fewstain.provenance import find_dataset

    request = Request(
        kind=kind,
        n=n,
        seed=seed,
        side=side,
        steps=steps,
        batch_size=batch_size,
        wish=Wish(crowding, size, count),
        layouts=layouts,
        layouts_from=layouts_from,
        source=source,
        strength=strength,
        n_labels=n_labels,
        borrowed=Borrowed(denoiser, adapter, words, tuple(like or ()), guidance_scale),
    )
    asked = Asked(agreement, distance, keep)
    root = find_dataset(results, data)
    made = make_pairs(results, root, out, request, asked, state=state, shard=part)
    if isinstance(made, Gathered):
        say(told(out, made))
    else:
        say(f"shard {shard}: {made} batches made; gather-pairs when all shards are done")


def gather_pairs(
    results: PairResults,
    out: OutOption,
    keep: KeepOption = None,
    agreement: AgreementOption = None,
    distance: DistanceOption = None,
    state: StateOption = None,
    data: DataOption = None,
) -> None:
    """Gather the pairs that all shards of `fewstain pairs --shard I/K` have made, and keep the good ones."""
    from fewstain.pairs.limits import Asked
    from fewstain.pairs.run import gather_pairs as gather
    from fewstain.provenance import find_dataset

    gathered = gather(results, find_dataset(results, data), out, Asked(agreement, distance, keep), state=state)
    say(told(out, gathered))


def report_pairs(
    pairs: Annotated[Path, typer.Argument(metavar="PAIRS_DIR", help="A folder that pairs or gather-pairs wrote.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")],
    data: Annotated[Path, typer.Option(help="The dataset's folder, for real images beside the painted ones.")],
    results: Annotated[
        Path | None, typer.Option(help="Results folder whose segmenter learned from the pairs, to tell its scores.")
    ] = None,
) -> None:
    """Draw kept and dropped pairs with their scores, and real images beside painted ones; count what became of them."""
    from fewstain.report.pair_summary import write_pair_summary
    from fewstain.report.pairs import write_pair_pictures

    for path in (*write_pair_pictures(pairs, data, out), write_pair_summary(pairs, out, results)):
        say(f"wrote {path}")


def told(out: Path, gathered: Gathered) -> str:
    """Say what was kept, what was not, and how many are copies, whatever dropped them."""
    dropped = "".join(f", {count} dropped by {name}" for name, count in sorted(gathered.dropped.items()))
    copies = f"; {gathered.memorised} of all are copies of training images" if gathered.memorised else ""
    return f"wrote {out}: {gathered.kept} of {gathered.generated} pairs kept{dropped}{copies}"


def shard_of(text: str) -> tuple[int, int]:
    """Read "2/4" as (2, 4)."""
    first, slash, second = text.partition("/")
    if not (slash and first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second)):
        raise UserError(f"--shard {text}: write which of how many, as in 2/4")
    return int(first), int(second)


def _sections(preset: Preset, changes: list[str] | None) -> tuple[LayoutSettings, PainterSettings]:
    """Read the settings of both trainings, with the --set options applied."""
    overrides = parse_set(changes or ())
    for other in overrides.keys() - set(SECTIONS):
        raise UserError(f"--set {other}.*: has no effect here; this verb takes {' and '.join(SECTIONS)} only")
    layouts = LAYOUT_PRESETS[preset].model_dump(mode="json") | overrides.get("layouts", {})
    painter = PAINTER_PRESETS[preset].model_dump(mode="json") | overrides.get("painter", {})
    return validate(LayoutSettings, layouts, "--set layouts"), validate(PainterSettings, painter, "--set painter")
