"""docs/benchmark.md and the report's table: what was compared, how, and what came of it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import pandas as pd

from fewstain.benchmark.tables import labels_of, row_cells, stain_tables
from fewstain.benchmark.targets import targets
from fewstain.report.tables import page

WIDTH = 118  # of the page's lines

INTRODUCTION = """# Benchmark

What a lab would pick instead, on the same trials: {stains}. Every method gets the same unlabeled pool, the same
labeled windows with the same surroundings, normalised alike. `test/` is read when all is chosen. Written by

    snakemake --cores all benchmark --config benchmark={file}

for which the folders must lie where that names them; for your own data see [below](#on-your-own-data).

AP50 is TP / (TP + FP + FN) at an IoU of 0.5, PQ the panoptic quality; counts are summed over all test images, and the
scores of seeds averaged. Intervals are of 95 %, by bootstrap {over}; "fewstain − method" is of the same drawn images
and of the seeds that both have (paired). Minutes are of one run each: what is learned from the pool is learned once a
stain, and shared by all n and seeds; seconds are of all test images. A seed draws the labeled windows and seeds the
method.

{budget}

{machine} Where the present version of a method was not run yet, the row is of an earlier one, and says so;
its training took as long as that of fewstain's denoiser of then.

{developed}
"""

DEVELOPED_ON = ("histology", "fluorescence")
DEVELOPED = """fewstain's own settings were developed on further labeled windows of {these}, the very stains below, and
their test images were scored about a dozen times on the way (docs/accuracy.md). The baselines' settings were not, but
for the ensemble and the decoder that some of them share with fewstain. So fewstain's scores on these stains are
flattered: stains on which nothing was chosen, as your own, tell more."""

METHODS = """## The methods

- **fewstain**: everything the workflow does, preset `{preset}`.
- **the same ensemble on classical filters alone**: fewstain without a denoiser: what its features add.
- **DDPM-seg as published** (Baranchuk et al., ICLR 2022): fewstain's denoiser; fixed timesteps 50, 150 and 250, fixed
  blocks at the published depths, ten pixel classifiers trained as in the published code, a hard vote, boundary and
  interior as semantic classes, whose interiors are grown to instances.
- **MAE** (He et al., CVPR 2022): MONAI's masked autoencoder with patches of 4 pixels trained on the pool; tokens of
  all layers from overlapping windows, then fewstain's ensemble, classical filters, decoder and choices, with as many
  components in all as a denoiser's features get.
- **VAE**: a KL autoencoder trained on the pool; its encoder's and decoder's activations in the denoiser's place, as
  for MAE.
- **DatasetGAN** (Zhang et al., CVPR 2021): a StyleGAN2-style generator with adaptive discriminator augmentation
  trained on the pool; an ensemble on its blocks' features labels what it paints, by a decoder tuned on crops held
  out of it; the most uncertain images are dropped, and a segmenter is trained on the rest. *Labeled crops
  projected*: the labels come from the trial's windows, projected into the generator by an encoder and optimisation.
  *Its images annotated (best case)*: 24 generated images are labeled by a U-Net trained on **all** labels of the
  pool, in place of a person who could; it sees labels that no other few-label method does.
- **U-Net from scratch**: MONAI's U-Net with strong augmentation on the n windows (turned, zoomed, in other light, with
  copies of their objects); *on all labels*: the same on every label of the pool, the upper bound.
- **random forest** on scikit-image's multiscale features, as ilastik and Weka do.
- **Cellpose from scratch** (3.1.1.3): trained on the n windows without pretrained weights, in an environment of its
  own; with `cellpose_weights`, from those.
- **pretrained backbone (timm)**: features of a network trained elsewhere, where it and its weights are installed.

All but DDPM-seg and Cellpose share fewstain's decoder, tuned out-of-fold on the labeled windows and on views of them.
"""

ON_YOUR_DATA = """## On your own data

A data set with labels, `test/images` and `test/labels` is enough; `stains` names it, or a folder:

    snakemake --cores all benchmark --config benchmark='{stains: [mystain], methods: [ours, unet, forest], n: [5, 20]}'

or a YAML file in the place of the text, or the key `benchmark` in config.yaml. The preset is `cpu` unless `preset:`
there says otherwise; the one at the top of config.yaml does not count here. A seed draws an order of the label
files, whose first n are the labels of the trial; with fewer than n files, all of them.
`workflow/schemas/config.schema.json` lists all keys. What is written: `results/benchmark.csv`,
`results/benchmark.html`, a figure of each score, and a page like this.

Every cell is one small JSON in `cells` (`benchmarks/results` by default), named by the hash of its settings, data and
the version numbers of its code. A cell that is there is never run again, also one that failed or was cut short
(`limit_seconds`): delete its file to run it again. A method that is killed, as one that takes more memory than there
is, has failed as well. What is learned from the pool lies in `results/.benchmark`, goes on where it was stopped, and
can be deleted when all cells are done; a training that failed by itself leaves `failed.json` there, and its cells
fail: to train again, delete its folder, its state beside it, and those cells. A test image whose pixels are in the
pool, too, is refused. `snakemake --cores all benchmark` makes `results/report.html` a report of the benchmark alone;
`snakemake --cores all` makes that of everything again, with the table of a finished benchmark where `benchmark`
stands in config.yaml.

Cellpose needs an environment of its own: `benchmarks/cellpose-environment` makes it, of Python packages only. It goes
on from pretrained weights where you have them: `{cellpose_weights: FILE}`. A timm backbone needs timm and torchvision
beside fewstain, and its weights as a safetensors file: `{timm: NAME, weights: FILE}`; nothing is downloaded. Where
either is missing, the tables say so.

A benchmark stain, as those above, is a folder with `images/`, `full-labels/` (labels of the whole pool, of which
windows are cut), `few-labels.json` (which windows, for each seed), `test/images` and `test/labels`; see
`src/fewstain/benchmark/trial.py`.
"""


def benchmark_page(
    table: pd.DataFrame, facts: dict[str, Any], figures: Sequence[str], cells: Sequence[dict[str, Any]]
) -> str:
    """Write the Markdown page.

    Parameters
    ----------
    table
        As `summarise` makes it.
    facts
        "file": how the subset was named; "preset"; "budget": in words.
    figures
        Paths of the pictures, from the page's folder.
    cells
        Of which the machine is told.
    """
    stains = list(dict.fromkeys(table["stain"]))
    told = {"stains": ", ".join(stains) or "none yet", "budget": facts["budget"]}
    told |= {"machine": _machine(cells), "over": _over(table)}
    these = [name for name in DEVELOPED_ON if name in stains]
    told["developed"] = DEVELOPED.format(these=" and ".join(these)) if these else ""
    parts = [
        _introduction(facts["file"], told),
        *(f"![Score against the number of labels]({path})\n" for path in figures),
        "## Targets\n",
        *(f"- {line}" for line in targets(table)),
        "",
    ]
    for stain in stains:
        parts += [f"## {stain}\n", *stain_tables(table[table["stain"] == stain])]
    return "\n".join([*parts, METHODS.format(preset=facts["preset"]), ON_YOUR_DATA])


def report_table(table: pd.DataFrame) -> str:
    """Write the HTML page of the report."""
    note = f"Means over seeds with 95 % intervals {_over(table)}. A cell that failed or was cut short says so."
    sections = []
    for stain in dict.fromkeys(table["stain"]):
        rows = table[table["stain"] == stain]
        shown = pd.DataFrame(
            [row_cells(row) | {"labels": labels_of(row)} for row in rows.to_dict("records")], dtype=object
        )
        sections.append((stain, note, shown[["labels", *(name for name in shown.columns if name != "labels")]]))
    return page("Benchmark", sections)


def _over(table: pd.DataFrame) -> str:
    """Say what intervals are over: where all rows have one seed, seeds tell nothing."""
    one_seed = ~table["seeds"].dropna().str.contains(",")
    if len(one_seed) and one_seed.all():
        return "over images only, for every row has one seed"
    return "over seeds and images at once" + (", over images only where a row has one seed" if one_seed.any() else "")


def _introduction(file: str, told: dict[str, str]) -> str:
    parts = INTRODUCTION.format(file=file, **told).strip().split("\n\n")
    return "\n\n".join(_wrapped(part) for part in parts if part.strip()) + "\n"


def _wrapped(paragraph: str) -> str:
    """Break the lines of a paragraph anew, unless it is code or a heading."""
    if paragraph.startswith(("    ", "#")):
        return paragraph
    return textwrap.fill(" ".join(paragraph.split()), WIDTH, break_on_hyphens=False)


def _machine(cells: Sequence[dict[str, Any]]) -> str:
    """Say on what it was measured."""
    told = "; ".join(dict.fromkeys(_told_machine(cell) for cell in cells))
    return f"Measured on: {told}." if told else "Nothing was measured yet."


def _told_machine(cell: dict[str, Any]) -> str:
    """Tell of the machine of a cell; older ones know less of it."""
    threads = f"{cell['threads']} {'thread' if cell['threads'] == 1 else 'threads'}"
    parts = [cell.get("cpu") or cell["processor"], f"{cell['cores']} cores" if cell.get("cores") else "", threads]
    parts.append(f"torch {cell['torch']}" if cell.get("torch") else "")
    return f"{cell['device']} ({', '.join(part for part in parts if part)})"
