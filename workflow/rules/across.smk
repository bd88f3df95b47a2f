# One denoiser for several datasets, those under `across` in config.yaml. As with each dataset's own, an added image must
# not train it anew; changed words do.
rule train_across:
    input:
        ancient(checked_together),
    output:
        report(
            directory(f"{RESULTS}/{ACROSS}/{{condition}}"),
            patterns=["{picture}.png"],
            caption="../report/across.rst",
            category="Learned across datasets",
            labels={"told by": "{condition}"},
        ),
    log:
        f"{RESULTS}/{ACROSS}/logs/train-{{condition}}.log",
    benchmark:
        f"{RESULTS}/{ACROSS}/.times/train-{{condition}}.tsv"
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        datasets=folders_together,
        words=described_together,
        state=state_together,
        options=across_options(CONFIG),
        numbers=numbers_together,
        seed=CONFIG.seed,
        code_version=CODE_VERSIONS["across"],
    shell:
        "fewstain --log {log:q} train-{wildcards.condition} {params.datasets:q} --out {output:q}"
        " --state {params.state:q} --restart --seed {params.seed} {params.options:q}"
