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


rule vae:
    input:
        ancient(checked),
    output:
        report(
            directory(f"{RESULTS}/{{dataset}}/vae"),
            patterns=["{picture}.png"],
            caption="../report/vae.rst",
            category="{dataset}",
            subcategory="Images in latents",
            labels={"picture": "{picture}"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/vae.log",
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        dataset=dataset_folder,
        state=f"{RESULTS}/{{dataset}}/.training/vae",
        options=vae_options,
        channels=channel_options,
        seed=CONFIG.seed,
        pool=pool_hash,
        numbers=vae_numbers,
        code_version=CODE_VERSIONS["vae"],
    shell:
        "fewstain --log {log:q} train-vae {params.dataset:q} --out {output:q} --state {params.state:q} --restart"
        " --seed {params.seed} {params.channels:q} {params.options:q}"


# Of a changed VAE the denoiser of its latents is trained anew.
rule latent:
    input:
        vae=f"{RESULTS}/{{dataset}}/vae",
        checked=ancient(checked),
    output:
        report(
            directory(f"{RESULTS}/{{dataset}}/latent"),
            patterns=["{picture}.png"],
            caption="../report/latent.rst",
            category="{dataset}",
            subcategory="Images in latents",
            labels={"picture": "{picture}"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/latent.log",
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        dataset=dataset_folder,
        state=f"{RESULTS}/{{dataset}}/.training/latent",
        options=latent_options,
        channels=channel_options,
        seed=CONFIG.seed,
        pool=pool_hash,
        numbers=latent_numbers,
        code_version=CODE_VERSIONS["latent"],
    shell:
        "fewstain --log {log:q} train-diffusion {params.dataset:q} --vae {input.vae:q} --out {output:q}"
        " --state {params.state:q} --restart --seed {params.seed} {params.channels:q} {params.options:q}"


# An added image, with its mask, trains no control anew; a changed denoiser does.
rule control:
    input:
        base=f"{RESULTS}/{{dataset}}/diffusion",
        checked=ancient(checked),
        layouts=ancient(control_layouts),
    output:
        report(
            directory(f"{RESULTS}/{{dataset}}/control"),
            patterns=["{picture}.png"],
            caption="../report/control.rst",
            category="{dataset}",
            subcategory="Painted after layouts or edges",
            labels={"picture": "{picture}"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/control.log",
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        dataset=dataset_folder,
        state=f"{RESULTS}/{{dataset}}/.training/control",
        options=control_options,
        seed=CONFIG.seed,
        pool=pool_hash,
        numbers=control_numbers,
        code_version=CODE_VERSIONS["control"],
    shell:
        "fewstain --log {log:q} train-control {input.base:q} {params.dataset:q} --out {output:q}"
        " --state {params.state:q} --restart --seed {params.seed} {params.options:q}"


rule translation:
    input:
        ancient(checked),
    output:
        report(
            directory(f"{RESULTS}/{{dataset}}/translation"),
            patterns=["{picture}.png"],
            caption="../report/translation.rst",
            category="{dataset}",
            subcategory="Translated from other images",
            labels={"picture": "{picture}"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/translation.log",
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        dataset=dataset_folder,
        state=f"{RESULTS}/{{dataset}}/.training/translation",
        options=translation_options,
        seed=CONFIG.seed,
        pool=pool_hash,
        numbers=translation_numbers,
        code_version=CODE_VERSIONS["translation"],
    shell:
        "fewstain --log {log:q} train-translation {params.dataset:q} --out {output:q}"
        " --state {params.state:q} --restart --seed {params.seed} {params.options:q}"
