# What the rules need to know of config.yaml and of the files that are there. All of the workflow's Python is here.

import functools
import hashlib
import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version, validate

from fewstain.config import (
    ACROSS,
    across_options,
    dataset_settings,
    load_config,
    pair_settings,
    painter_options,
    parse_config,
)
from fewstain.dataset import has_braces, list_files, parse_window
from fewstain.description import split_words
from fewstain.errors import UserError
from fewstain.images.read import LABEL_EXTENSIONS, stem
from fewstain.overrides import cli_options
from fewstain.pair_settings import PAIR_SECTIONS
from fewstain.presets import PRESETS
from fewstain.stages import CODE_VERSIONS
from fewstain.storage import sha256_file
from fewstain.toolbox import training_numbers, training_options

min_version("9.10")

try:
    for path in workflow.configfiles:
        load_config(path)  # tells what is lost once Snakemake has read it: keys that stand twice
    # what the command line says of it is text, and may be the name of a file
    BENCHMARK_NAMED = config["benchmark"] if isinstance(config.get("benchmark"), str) else "..."
    CONFIG = parse_config(config)
    if CONFIG.benchmark:
        config["benchmark"] = CONFIG.benchmark.model_dump(mode="json", exclude_unset=True)
except UserError as error:
    raise WorkflowError(str(error)) from None
validate(config, "../schemas/config.schema.json", set_default=False)

DATA, RESULTS = CONFIG.data, CONFIG.results
if Path(RESULTS).exists() and not (Path(RESULTS).is_dir() and os.access(RESULTS, os.W_OK)):
    raise WorkflowError(f"{RESULTS}: is no folder that can be written to; change it, or `results` in config.yaml")
Path("results").mkdir(exist_ok=True)  # the report is written there, wherever results are; Snakemake makes no folder
NUMBERS = {name: dataset_settings(CONFIG, name) for name in CONFIG.datasets}


wildcard_constraints:
    dataset="|".join(re.escape(name) for name in CONFIG.datasets),
    base="|".join(re.escape(name) for name in CONFIG.datasets),
    kind="labeled|test|pool",
    condition="words|few-shot",
    pairs=r"pairs(-\d+)?",
    shard=r"\d+",
    shards=r"\d+",


# Files are listed when the workflow starts. The demo's are known before they exist.
def files_in(dataset, folder, extensions=None):
    place = Path(DATA, dataset)
    if not list_files(place / "images"):
        known = [Path(file) for file in rules.demo_data.output]
        found = [file for file in known if file.parent == place / folder]
    else:
        found = list_files(place / folder, *([extensions] if extensions else []))
    refuse_braces(found)
    return [file.as_posix() for file in found]


# Snakemake stops before it can run `fewstain check`, and no escaping helps in what a function returns.
def refuse_braces(files):
    braced = [file.as_posix() for file in files if has_braces(file)]
    if braced:
        some = ", ".join(braced[:5]) + (", …" if len(braced) > 5 else "")
        raise WorkflowError(f"{some}: {{ or }} in the name, which Snakemake takes for a wildcard; rename it")


def pool_images(wildcards):
    return files_in(wildcards.dataset, "images")


def label_files(wildcards):
    chosen = files_in(wildcards.dataset, "labels", LABEL_EXTENSIONS)[: CONFIG.dataset(wildcards.dataset).n_labels]
    return chosen + tables_of_classes(wildcards.dataset, "labels")


def labeled_images(wildcards):
    images = {stem(file): Path(file) for file in pool_images(wildcards)}
    places = [parse_window(stem(file), images) for file in label_files(wildcards)]
    return sorted({place[0].as_posix() for place in places if place})


def test_images(wildcards):
    return files_in(wildcards.dataset, "test/images")


def test_labels(wildcards):
    found = files_in(wildcards.dataset, "test/labels", LABEL_EXTENSIONS)
    return found + tables_of_classes(wildcards.dataset, "test/labels")


def all_files(wildcards):
    labels = files_in(wildcards.dataset, "labels", LABEL_EXTENSIONS)
    rest = tables_of_classes(wildcards.dataset, "labels") + test_images(wildcards) + test_labels(wildcards)
    return pool_images(wildcards) + labels + rest


# The record of the last check; it only has to be there, whenever it was made.
def checked(wildcards):
    return checkpoints.check.get(dataset=wildcards.dataset).output.found


def tables_of_classes(dataset, folder):
    table = Path(DATA, dataset, folder, "classes.csv")
    return [table.as_posix()] if table.exists() else []


def has_labels(dataset):
    return bool(files_in(dataset, "labels", LABEL_EXTENSIONS))


# Masks that somebody corrected in napari.
def corrected_masks(dataset):
    return [path.as_posix() for path in list_files(Path(RESULTS, dataset, "corrected"), (".tif",))]


# When the last correction was forgotten, tables that are there still tell of it, until they are made anew.
def needs_corrections(dataset):
    return bool(corrected_masks(dataset)) or Path(RESULTS, dataset, "corrected_measurements.csv").exists()


def has_test(dataset):
    return bool(files_in(dataset, "test/images"))


# Command line options of a stage, and no more: what only another stage reads must not make this one run again.
def stage_options(stage):
    def options(wildcards):
        preset = CONFIG.preset_of(wildcards.dataset)
        own = getattr(NUMBERS[wildcards.dataset], stage)
        return cli_options(PRESETS[preset].model_copy(update={stage: own}), preset)

    return options


# A preset's numbers may change with a new version while the options stay the same, so they are kept as well.
def stage_numbers(stage):
    return lambda wildcards: getattr(NUMBERS[wildcards.dataset], stage).model_dump(mode="json")


def channel_options(wildcards):
    channels = CONFIG.dataset(wildcards.dataset).channels
    return [] if channels is None else ["--channels", ",".join(str(channel) for channel in channels)]


def pixel_size_options(wildcards):
    size = CONFIG.dataset(wildcards.dataset).pixel_size_um
    return [] if size is None else ["--pixel-size-um", str(size)]


def n_labels_options(wildcards):
    n_labels = CONFIG.dataset(wildcards.dataset).n_labels
    return [] if n_labels is None else ["--n-labels", str(n_labels)]


# With `retrain: true` a changed pool makes the denoiser train anew; else the pool it was trained on stays.
def pool_hash(wildcards):
    return content_hash(tuple(pool_images(wildcards))) if CONFIG.dataset(wildcards.dataset).retrain else "frozen"


@functools.cache
def content_hash(files):
    hashes = [sha256_file(file) for file in files if Path(file).exists()]
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


# Where the training state lies: a folder that Snakemake does not manage, or it would delete what a stopped training
# goes on from. Trainings of different settings have different folders, so that they are never mixed, and one that was
# stopped can be taken up again by changing the settings back. What changes no weight is left out of the name.
def training_state(wildcards):
    numbers = stage_numbers("diffusion")(wildcards)
    numbers = {
        key: value for key, value in numbers.items() if key not in ("checkpoint_seconds", "samples", "sample_steps")
    }
    facts = [numbers, channel_options(wildcards), pool_hash(wildcards), CONFIG.seed]
    name = hashlib.sha256(json.dumps([CODE_VERSIONS["diffusion"], *facts]).encode()).hexdigest()[:12]
    return f"{RESULTS}/{wildcards.dataset}/.training/{name}"


# What is learned across datasets belongs to none of them.
TOGETHER = {"words": CONFIG.across.words, "few-shot": CONFIG.across.few_shot}


def checked_together(wildcards):
    return [checkpoints.check.get(dataset=name).output.found for name in TOGETHER[wildcards.condition]]


def folders_together(wildcards):
    return [f"{DATA}/{name}" for name in TOGETHER[wildcards.condition]]


def described_together(wildcards):
    if wildcards.condition != "words":
        return []
    files = [Path(folder, "words.txt") for folder in folders_together(wildcards)]
    return [split_words(file.read_text(encoding="utf-8-sig")) for file in files if file.exists()]


# As with `stage_numbers`. They give the state's folder no other name: a changed number begins the training anew.
def numbers_together(wildcards):
    return training_numbers(CONFIG.preset, "conditions", CONFIG.across.conditions).model_dump(mode="json")


def state_together(wildcards):
    facts = [wildcards.condition, folders_together(wildcards), described_together(wildcards)]
    facts += [across_options(CONFIG), CONFIG.seed, CODE_VERSIONS["across"]]
    name = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]
    return f"{RESULTS}/{ACROSS}/.training/{name}"


def dataset_folder(wildcards):
    return f"{DATA}/{wildcards.dataset}"


def results_folder(wildcards):
    return f"{RESULTS}/{wildcards.dataset}"


def benchmarks_of(wildcards):
    steps = ["check", "train-diffusion"]
    if has_labels(wildcards.dataset):
        steps += ["fit-pixels", "train-segmenter", "segment-pool"]
        steps += ["ensemble-masks", "train-painter"] if needs_painter(wildcards.dataset) else []
        steps += ["segment-test"] if has_test(wildcards.dataset) else []
    times = f"{RESULTS}/{wildcards.dataset}/.times"
    return [f"{times}/{step}.tsv" for step in steps] + times_of_pairs(wildcards.dataset)


# Without labels there is a denoiser, and a list of windows to label; with labels, everything.
def wanted_results():
    wanted = []
    for dataset in CONFIG.datasets:
        parts = ["dataset.json", "report/training", "report/run-times.html"]
        if has_labels(dataset):
            parts += ["report/tables", "report/labeled", "report/pool", "measurements.csv", "scores.json"]
            parts += ["report/test"] if has_test(dataset) else []
            parts += [f"report/{folder}" for folder in pair_folders(dataset)]
            parts += ["corrected_measurements.csv"] if needs_corrections(dataset) else []
        parts += wanted_of_toolbox(dataset)
        wanted += [f"{RESULTS}/{dataset}/{part}" for part in parts]
    return wanted + [f"{RESULTS}/{ACROSS}/{condition}" for condition, datasets in TOGETHER.items() if datasets]


def tell_what_to_label():
    for dataset in CONFIG.datasets:
        found = Path(RESULTS, dataset, "check.json")
        if not has_labels(dataset) and found.exists():
            print(f"{dataset}: the denoiser is trained; now label some windows, for example", file=sys.stderr)
            suggestions = json.loads(found.read_text(encoding="utf-8"))["suggestions"]
            for name in suggestions[:: max(1, len(suggestions) // 6)][:6]:
                print(f"  {DATA}/{dataset}/labels/{name}", file=sys.stderr)
            print("and run the same command again.", file=sys.stderr)


PICTURES = {"labeled": "Labeled windows", "test": "Test images", "pool": "Pool images, to look at first"}


def picture_sources(wildcards):
    if wildcards.kind == "test":
        return f"{RESULTS}/{wildcards.dataset}/test/counts.csv"
    return f"{RESULTS}/{wildcards.dataset}/counts.csv"
