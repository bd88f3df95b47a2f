# Layouts are learned from masks of the whole pool. They are the ensemble's, for what segments in the end may have learned
# from the pairs that are made here. As with the denoiser, the images are no input: an added one is only segmented.
rule ensemble_masks:
    input:
        weights=f"{RESULTS}/{{dataset}}/pixels/ensemble.safetensors",
        record=f"{RESULTS}/{{dataset}}/pixels/pixels.json",
        checked=ancient(checked),
    output:
        f"{RESULTS}/{{dataset}}/.ensemble/counts.csv",
    log:
        f"{RESULTS}/{{dataset}}/logs/ensemble-masks.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/.times/ensemble-masks.tsv"
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        results=results_folder,
        images=lambda wildcards: f"{DATA}/{wildcards.dataset}/images",
        out=lambda wildcards, output: Path(output[0]).parent.as_posix(),
        options=stage_options("segment"),
        numbers=stage_numbers("segment"),
        pool=pool_hash,
        code_version=CODE_VERSIONS["segment"],
    shell:
        "fewstain --log {log:q} segment {params.results:q} {params.images:q} --with ensemble --out {params.out:q}"
        " {params.options:q}"


rule train_painter:
    input:
        diffusion=f"{RESULTS}/{{dataset}}/diffusion",
        masks=f"{RESULTS}/{{dataset}}/.ensemble/counts.csv",
        labels=label_files,
    output:
        directory(f"{RESULTS}/{{dataset}}/painter"),
    log:
        f"{RESULTS}/{{dataset}}/logs/train-painter.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/.times/train-painter.tsv"
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        results=results_folder,
        dataset=dataset_folder,
        masks=lambda wildcards, input: (Path(input.masks).parent / "masks").as_posix(),
        state=lambda wildcards: f"{RESULTS}/{wildcards.dataset}/.training/painter",
        options=lambda wildcards: painter_options(CONFIG, wildcards.dataset),
        numbers=painter_numbers,
        n_labels=n_labels_options,
        seed=CONFIG.seed,
        code_version=CODE_VERSIONS["painter"],
    shell:
        "fewstain --log {log:q} train-painter {params.results:q} --data {params.dataset:q} --masks {params.masks:q}"
        " --state {params.state:q} --restart --seed {params.seed} {params.n_labels:q} {params.options:q}"


# Pairs lie in a folder that Snakemake does not manage, batch by batch, so that a shard that was stopped goes on. Its
# output only says that it is done, until the pairs are gathered: other pairs, or other shards, then begin from nothing.
rule pairs_shard:
    input:
        painter=painting_network,
        weights=f"{RESULTS}/{{dataset}}/pixels/ensemble.safetensors",
        record=f"{RESULTS}/{{dataset}}/pixels/pixels.json",
        layouts=own_layouts,
        layouts_from=painter_of_layouts,
        edited=edited_files,
    output:
        temp(touch(f"{RESULTS}/{{dataset}}/.{{pairs}}/{{shard}}-of-{{shards}}")),
    log:
        f"{RESULTS}/{{dataset}}/logs/{{pairs}}-{{shard}}-of-{{shards}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/.times/{{pairs}}-{{shard}}-of-{{shards}}.tsv"
    conda:
        "../../environment.yml"
    params:
        results=results_folder,
        dataset=dataset_folder,
        out=lambda wildcards: f"{RESULTS}/{wildcards.dataset}/{wildcards.pairs}",
        options=pair_options,
        seed=CONFIG.seed,
        code_version=CODE_VERSIONS["pairs"],
    shell:
        "fewstain --log {log:q} pairs {params.results:q} --data {params.dataset:q} --out {params.out:q}"
        " --shard {wildcards.shard}/{wildcards.shards} --seed {params.seed} {params.options:q}"


rule gather_pairs:
    input:
        pairs_shards,
        painting_network,
        f"{RESULTS}/{{dataset}}/pixels/pixels.json",
        own_layouts,
        painter_of_layouts,
        edited_files,
    output:
        directory(f"{RESULTS}/{{dataset}}/{{pairs}}"),
    log:
        f"{RESULTS}/{{dataset}}/logs/gather-{{pairs}}.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/.times/gather-{{pairs}}.tsv"
    conda:
        "../../environment.yml"
    params:
        results=results_folder,
        dataset=dataset_folder,
        options=lambda wildcards: wanted_pairs(wildcards).filter_options(),
        of=lambda wildcards: [*pair_options(wildcards), CONFIG.seed, CODE_VERSIONS["pairs"]],
        code_version=CODE_VERSIONS["gather"],
    shell:
        "fewstain --log {log:q} gather-pairs {params.results:q} --data {params.dataset:q} --out {output:q}"
        " {params.options:q}"


rule train_segmenter:
    input:
        labels=label_files,
        images=labeled_images,
        weights=f"{RESULTS}/{{dataset}}/pixels/ensemble.safetensors",
        record=f"{RESULTS}/{{dataset}}/pixels/pixels.json",
        held_out=f"{RESULTS}/{{dataset}}/pixels/held-out.safetensors",
        pairs=lambda wildcards: [
            f"{RESULTS}/{wildcards.dataset}/{folder}" for folder in pair_folders(wildcards.dataset)
        ],
        checked=ancient(checked),
    output:
        weights=f"{RESULTS}/{{dataset}}/segmenter/segmenter.safetensors",
        record=f"{RESULTS}/{{dataset}}/segmenter/segmenter.json",
        cost=f"{RESULTS}/{{dataset}}/segmenter/cost.json",
    log:
        f"{RESULTS}/{{dataset}}/logs/train-segmenter.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/.times/train-segmenter.tsv"
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        results=results_folder,
        dataset=dataset_folder,
        out=lambda wildcards, output: Path(output.record).parent.as_posix(),
        state=lambda wildcards: f"{RESULTS}/{wildcards.dataset}/.training/segmenter",
        options=stage_options("segmenter"),
        pairs=lambda wildcards, input: [word for folder in input.pairs for word in ("--pairs", folder)],
        seed=CONFIG.seed,
        numbers=stage_numbers("segmenter"),
        code_version=CODE_VERSIONS["segmenter"],
    shell:
        "fewstain --log {log:q} train-segmenter {params.results:q} --data {params.dataset:q} --out {params.out:q}"
        " --state {params.state:q} --seed {params.seed} --restart {params.pairs:q} {params.options:q}"
