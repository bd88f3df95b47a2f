# What the rules of the benchmark need to know: cells, what they build on, and where all of it lies.

from fewstain.benchmark.identity import numbers_of
from fewstain.benchmark.plan import budget_options, cell_options, make_plan

# Under a name of its own: the workflow has a channel_options already, and all its files share their names.
from fewstain.benchmark.plan import channel_options as options_of_channels

CHANNELS = {name: own.channels for name, own in CONFIG.datasets.items() if own.channels is not None}

try:
    PLAN = make_plan(CONFIG.benchmark, DATA, CONFIG.datasets, CHANNELS) if CONFIG.benchmark else None
except UserError as error:
    raise WorkflowError(str(error)) from None

CELLS = {cell.name: cell for cell in PLAN.cells} if PLAN else {}
POOL_TRAININGS = {each.name: each for each in PLAN.pretrainings} if PLAN else {}
CELL_FOLDER = CONFIG.benchmark.cells if PLAN else "benchmarks/results"
POOL_FOLDER = f"{RESULTS}/.benchmark"  # no dataset's name begins with a dot


def one_of(names):
    return "|".join(re.escape(name) for name in names) or "(?!)"


wildcard_constraints:
    cell=one_of(CELLS),
    pooltraining=one_of(POOL_TRAININGS),


# A finished cell is never run again, wherever its file comes from: only those that are not there yet are asked for.
def missing_cells(wildcards):
    if PLAN is None:
        raise WorkflowError(
            "nothing to compare; say what with --config benchmark='{stains: [data/mystain]}' or benchmark=FILE.yaml, "
            "see docs/benchmark.md"
        )
    files = [f"{CELL_FOLDER}/{name}.json" for name in CELLS]
    return [file for file in files if not Path(file).exists()]


# The report of everything has the benchmark's table too, once all of its cells are there.
def finished_benchmark():
    return [f"{RESULTS}/benchmark.html"] if PLAN and not missing_cells(None) else []


def pool_folder(training):
    return f"{POOL_FOLDER}/{training.name}"


def cell_needs(wildcards):
    cell = CELLS[wildcards.cell]
    return [pool_folder(each) for each in dict.fromkeys((cell.pretraining, cell.budget_of)) if each is not None]


def cell_words(wildcards):
    cell = CELLS[wildcards.cell]
    words = cell_options(cell, CONFIG.benchmark)
    words += ["--pretrained", pool_folder(cell.pretraining)] if cell.pretraining else []
    if cell.trains:
        words += budget_options(CONFIG.benchmark, pool_folder(cell.budget_of) if cell.budget_of else None)
    return words


def pool_needs(wildcards):
    training = POOL_TRAININGS[wildcards.pooltraining]
    return [] if training.like is None else [pool_folder(training.like)]


def pool_words(wildcards):
    training = POOL_TRAININGS[wildcards.pooltraining]
    words = [str(training.source), "--kind", training.kind] + options_of_channels(training.channels)
    if training.kind != "diffusion":
        words += budget_options(CONFIG.benchmark, pool_folder(training.like) if training.like else None)
    return words + cli_options(numbers_of(CONFIG.benchmark), CONFIG.benchmark.preset)


# The table finds cells by their names, which depend on the channels.
def table_channels(wildcards):
    return [f"--channels={name}={','.join(map(str, chosen))}" for name, chosen in CHANNELS.items()]


def benchmark_subset(wildcards):
    return json.dumps(CONFIG.benchmark.model_dump(mode="json", exclude_unset=True))
