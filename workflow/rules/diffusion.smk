# The images are no input here: an added one must not train the denoiser anew. What was checked is ancient for the same
# reason; it only has to exist. See `retrain` in config.yaml.
rule train_diffusion:
    input:
        ancient(checked),
    output:
        directory(f"{RESULTS}/{{dataset}}/diffusion"),
    log:
        f"{RESULTS}/{{dataset}}/logs/train-diffusion.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/.times/train-diffusion.tsv"
    conda:
        "../../environment.yml"
    # two trainings at once on the same cores would both take longer than one after the other
    threads: workflow.cores
    params:
        dataset=dataset_folder,
        state=training_state,
        options=stage_options("diffusion"),
        channels=channel_options,
        seed=CONFIG.seed,
        numbers=stage_numbers("diffusion"),
        pool=pool_hash,
        code_version=CODE_VERSIONS["diffusion"],
    shell:
        "fewstain --log {log:q} train-diffusion {params.dataset:q} --out {output:q} --state {params.state:q}"
        " --seed {params.seed} {params.channels:q} {params.options:q}"
