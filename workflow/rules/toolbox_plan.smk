# What the rules of the toolbox need to know: what config.yaml asks for, and by which numbers.


# Folders of the toolbox that config.yaml asks for.
def wanted_of_toolbox(dataset):
    return CONFIG.dataset(dataset).toolbox.folders(has_labels(dataset))


def sample_options(wildcards):
    return CONFIG.dataset(wildcards.dataset).toolbox.samples.options()


def adapter_options(wildcards):
    return CONFIG.dataset(wildcards.dataset).toolbox.adapters[wildcards.base].options()


def vae_options(wildcards):
    wish = CONFIG.dataset(wildcards.dataset).toolbox.latent
    return training_options(CONFIG.preset_of(wildcards.dataset), "vae", wish.vae)


def latent_options(wildcards):
    wish = CONFIG.dataset(wildcards.dataset).toolbox.latent
    return training_options(CONFIG.preset_of(wildcards.dataset), "diffusion", wish.diffusion)


def translation_options(wildcards):
    wish = CONFIG.dataset(wildcards.dataset).toolbox.translation
    numbers = training_options(CONFIG.preset_of(wildcards.dataset), "translation", wish.numbers)
    return ["--from", wish.source, *numbers]


# Layouts are the ensemble's masks of the pool; the table that is written after the last of them tells that they are there.
def control_layouts(wildcards):
    edges = CONFIG.dataset(wildcards.dataset).toolbox.control.condition == "edges"
    return [] if edges else f"{RESULTS}/{wildcards.dataset}/counts.csv"


def control_options(wildcards):
    wish = CONFIG.dataset(wildcards.dataset).toolbox.control
    layouts = [] if wish.condition == "edges" else ["--layouts", f"{RESULTS}/{wildcards.dataset}/masks"]
    numbers = training_options(CONFIG.preset_of(wildcards.dataset), "control", wish.numbers)
    return ["--condition", wish.condition.value, *layouts, *numbers]


# A preset's numbers may change with a new version, as with `stage_numbers`.
def vae_numbers(wildcards):
    return wished_numbers(wildcards, "vae", CONFIG.dataset(wildcards.dataset).toolbox.latent.vae)


def latent_numbers(wildcards):
    return wished_numbers(wildcards, "latent", CONFIG.dataset(wildcards.dataset).toolbox.latent.diffusion)


def control_numbers(wildcards):
    return wished_numbers(wildcards, "control", CONFIG.dataset(wildcards.dataset).toolbox.control.numbers)


def translation_numbers(wildcards):
    return wished_numbers(wildcards, "translation", CONFIG.dataset(wildcards.dataset).toolbox.translation.numbers)


def wished_numbers(wildcards, part, written):
    return training_numbers(CONFIG.preset_of(wildcards.dataset), part, written).model_dump(mode="json")
