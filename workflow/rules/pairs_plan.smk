# What the rules of synthetic pairs need to know: which are made, and what of other datasets they are made from.


# By dataset and folder: a section of config.yaml each.
PAIRS = {name: pair_settings(CONFIG, name) for name in CONFIG.datasets}


# Pairs need a fitted ensemble, and so labels.
# Painted objects have no class, so pairs teach nothing where objects are told apart by theirs.
def pair_folders(dataset):
    able = has_labels(dataset) and not tables_of_classes(dataset, "labels")
    return list(PAIRS[dataset]) if able else []


# Edits are painted by the denoiser itself.
def needs_painter(dataset):
    return any(PAIRS[dataset][folder].kind != "edit" for folder in pair_folders(dataset))


def wanted_pairs(wildcards):
    return PAIRS[wildcards.dataset][wildcards.pairs]


def pairs_shards(wildcards):
    shards = wanted_pairs(wildcards).shards
    return [f"{RESULTS}/{wildcards.dataset}/.{wildcards.pairs}/{shard}-of-{shards}" for shard in range(1, shards + 1)]


def painting_network(wildcards):
    part = "diffusion" if wanted_pairs(wildcards).kind == "edit" else "painter"
    return f"{RESULTS}/{wildcards.dataset}/{part}"


# `fewstain pairs` tells of a folder without layouts as well, but only after the trainings before it.
def own_layouts(wildcards):
    folder = wanted_pairs(wildcards).layouts
    if folder is None:
        return []
    layouts = list_files(Path(folder), LABEL_EXTENSIONS)
    if not layouts:
        raise WorkflowError(
            f"config.yaml: datasets.{wildcards.dataset}.pairs.layouts: {folder} holds no layouts; "
            "put label images (TIFF or PNG) there, or name another folder"
        )
    return layouts


def painter_of_layouts(wildcards):
    other = labeled_dataset(wildcards, "layouts_from")
    return [] if other is None else f"{RESULTS}/{other}/painter"


def edited_files(wildcards):
    other = labeled_dataset(wildcards, "from")
    return [] if other is None else label_files(of_dataset(other)) + labeled_images(of_dataset(other))


def labeled_dataset(wildcards, key):
    other = wanted_pairs(wildcards).others().get(key)
    if other is not None and not has_labels(other):
        raise WorkflowError(
            f"config.yaml: datasets.{wildcards.dataset}.pairs.{key}: {other} has no labels to learn from; "
            f"put some into {DATA}/{other}/labels, or name another dataset"
        )
    return other


# What functions of a dataset's files take for a job's wildcards.
def of_dataset(name):
    return SimpleNamespace(dataset=name)


def pair_options(wildcards):
    wish = wanted_pairs(wildcards)
    told = wish.options()
    if wish.layouts_from is not None:
        told += ["--layouts-from", f"{RESULTS}/{wish.layouts_from}"]
    if wish.source is not None:
        told += ["--from", f"{DATA}/{wish.source}", *n_labels_options(of_dataset(wish.source))]
    return told


# Pairs made before their times were kept are not made again for the sake of these.
def times_of_pairs(dataset):
    found = []
    for folder in pair_folders(dataset):
        shards = PAIRS[dataset][folder].shards
        steps = [f"{folder}-{shard}-of-{shards}" for shard in range(1, shards + 1)] + [f"gather-{folder}"]
        files = [f"{RESULTS}/{dataset}/.times/{step}.tsv" for step in steps]
        made = Path(f"{RESULTS}/{dataset}/{folder}").exists()
        found += [file for file in files if not made or Path(file).exists()]
    return found


# A preset's numbers may change with a new version, as with `stage_numbers`.
def painter_numbers(wildcards):
    preset = CONFIG.preset_of(wildcards.dataset)
    return [PAIR_SECTIONS[section][preset].model_dump(mode="json") for section in ("layouts", "painter")]
