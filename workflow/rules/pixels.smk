rule fit_pixels:
    input:
        labels=label_files,
        images=labeled_images,
        diffusion=f"{RESULTS}/{{dataset}}/diffusion",
        checked=ancient(checked),
    output:
        weights=f"{RESULTS}/{{dataset}}/pixels/ensemble.safetensors",
        record=f"{RESULTS}/{{dataset}}/pixels/pixels.json",
        cost=f"{RESULTS}/{{dataset}}/pixels/cost.json",
        held_out=f"{RESULTS}/{{dataset}}/pixels/held-out.safetensors",
    log:
        f"{RESULTS}/{{dataset}}/logs/fit-pixels.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/.times/fit-pixels.tsv"
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        dataset=dataset_folder,
        out=lambda wildcards, output: Path(output.record).parent.as_posix(),
        options=stage_options("pixels"),
        n_labels=n_labels_options,
        seed=CONFIG.seed,
        numbers=stage_numbers("pixels"),
        code_version=CODE_VERSIONS["pixels"],
    shell:
        "fewstain --log {log:q} fit-pixels {params.dataset:q} --diffusion {input.diffusion:q} --out {params.out:q}"
        " --seed {params.seed} {params.n_labels:q} {params.options:q}"


# Masks and uncertainty maps are no outputs: Snakemake deletes outputs before a rule runs, and with one added image all
# would be computed again. The verb knows which masks are there from the same model, and the tables, written last, stand
# for all of them.
rule segment_pool:
    input:
        images=pool_images,
        weights=f"{RESULTS}/{{dataset}}/pixels/ensemble.safetensors",
        record=f"{RESULTS}/{{dataset}}/pixels/pixels.json",
        segmenter=f"{RESULTS}/{{dataset}}/segmenter/segmenter.json",
        checked=ancient(checked),
    output:
        measurements=f"{RESULTS}/{{dataset}}/measurements.csv",
        counts=f"{RESULTS}/{{dataset}}/counts.csv",
    log:
        f"{RESULTS}/{{dataset}}/logs/segment-pool.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/.times/segment-pool.tsv"
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        results=results_folder,
        images=lambda wildcards: f"{DATA}/{wildcards.dataset}/images",
        options=stage_options("segment"),
        pixel_size=pixel_size_options,
        numbers=stage_numbers("segment"),
        code_version=CODE_VERSIONS["segment"],
    shell:
        "fewstain --log {log:q} segment {params.results:q} {params.images:q} --out {params.results:q}"
        " {params.pixel_size:q} {params.options:q}"


rule segment_test:
    input:
        images=test_images,
        weights=f"{RESULTS}/{{dataset}}/pixels/ensemble.safetensors",
        record=f"{RESULTS}/{{dataset}}/pixels/pixels.json",
        segmenter=f"{RESULTS}/{{dataset}}/segmenter/segmenter.json",
        checked=ancient(checked),
    output:
        measurements=f"{RESULTS}/{{dataset}}/test/measurements.csv",
        counts=f"{RESULTS}/{{dataset}}/test/counts.csv",
    log:
        f"{RESULTS}/{{dataset}}/logs/segment-test.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/.times/segment-test.tsv"
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        results=results_folder,
        images=lambda wildcards: f"{DATA}/{wildcards.dataset}/test/images",
        out=lambda wildcards, output: Path(output.counts).parent.as_posix(),
        options=stage_options("segment"),
        pixel_size=pixel_size_options,
        numbers=stage_numbers("segment"),
        code_version=CODE_VERSIONS["segment"],
    shell:
        "fewstain --log {log:q} segment {params.results:q} {params.images:q} --out {params.out:q} --masks {params.out:q}"
        " {params.pixel_size:q} {params.options:q}"
