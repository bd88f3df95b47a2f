# What else is made with a trained denoiser, where config.yaml asks for it: see `toolbox` there.


rule samples:
    input:
        f"{RESULTS}/{{dataset}}/diffusion",
    output:
        report(
            directory(f"{RESULTS}/{{dataset}}/samples"),
            patterns=["{picture}.png"],
            caption="../report/samples.rst",
            category="{dataset}",
            subcategory="Painted by the denoiser",
            labels={"picture": "{picture}"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/samples.log",
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        options=sample_options,
        seed=CONFIG.seed,
        code_version=CODE_VERSIONS["samples"],
    shell:
        "fewstain --log {log:q} sample {input:q} --out {output:q} --seed {params.seed} {params.options:q}"


# As with the denoiser, the images are no input here. Of a changed base the adapter is trained anew.
rule adapter:
    input:
        base=f"{RESULTS}/{{base}}/diffusion",
        checked=ancient(checked),
    output:
        report(
            directory(f"{RESULTS}/{{dataset}}/adapters/{{base}}"),
            patterns=["{picture}.png"],
            caption="../report/adapter.rst",
            category="{dataset}",
            subcategory="Adapted from other denoisers",
            labels={"base": "{base}"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/adapter-{{base}}.log",
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        dataset=dataset_folder,
        state=f"{RESULTS}/{{dataset}}/.training/adapter-{{base}}",
        options=adapter_options,
        channels=channel_options,
        seed=CONFIG.seed,
        pool=pool_hash,
        code_version=CODE_VERSIONS["adapter"],
    shell:
        "fewstain --log {log:q} adapt {input.base:q} {params.dataset:q} --out {output:q} --state {params.state:q}"
        " --restart --seed {params.seed} {params.channels:q} {params.options:q}"
