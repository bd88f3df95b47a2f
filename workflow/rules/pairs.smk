rule train_segmenter:
    input:
        labels=label_files,
        images=labeled_images,
        weights=f"{RESULTS}/{{dataset}}/pixels/ensemble.safetensors",
        record=f"{RESULTS}/{{dataset}}/pixels/pixels.json",
        held_out=f"{RESULTS}/{{dataset}}/pixels/held-out.safetensors",
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
        seed=CONFIG.seed,
        numbers=stage_numbers("segmenter"),
        code_version=CODE_VERSIONS["segmenter"],
    shell:
        "fewstain --log {log:q} train-segmenter {params.results:q} --data {params.dataset:q} --out {params.out:q}"
        " --state {params.state:q} --seed {params.seed} --restart {params.options:q}"
