rule report_training:
    input:
        f"{RESULTS}/{{dataset}}/diffusion",
    output:
        report(
            directory(f"{RESULTS}/{{dataset}}/report/training"),
            patterns=["{figure}.png"],
            caption="../report/training.rst",
            category="{dataset}",
            subcategory="Training of the denoiser",
            labels={"figure": "{figure}"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/report-training.log",
    conda:
        "../../environment.yml"
    params:
        code_version=CODE_VERSIONS["report"],
    shell:
        "fewstain --log {log:q} report-training {input:q} --out {output:q}"


rule report_pictures:
    input:
        counts=picture_sources,
        scores=f"{RESULTS}/{{dataset}}/scores.json",
    output:
        report(
            directory(f"{RESULTS}/{{dataset}}/report/{{kind}}"),
            patterns=["{image}.png"],
            caption="../report/pictures.rst",
            category="{dataset}",
            subcategory=lambda wildcards: PICTURES[wildcards.kind],
            labels={"image": "{image}"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/report-{{kind}}.log",
    conda:
        "../../environment.yml"
    params:
        results=results_folder,
        dataset=dataset_folder,
        code_version=CODE_VERSIONS["report"],
    shell:
        "fewstain --log {log:q} report-pictures {params.results:q} --data {params.dataset:q}"
        " --of {wildcards.kind} --out {output:q}"


rule report_tables:
    input:
        scores=f"{RESULTS}/{{dataset}}/scores.json",
        record=f"{RESULTS}/{{dataset}}/pixels/pixels.json",
        segmenter=f"{RESULTS}/{{dataset}}/segmenter/segmenter.json",
        counts=f"{RESULTS}/{{dataset}}/counts.csv",
    output:
        report(
            directory(f"{RESULTS}/{{dataset}}/report/tables"),
            patterns=["{table}.html"],
            caption="../report/tables.rst",
            category="{dataset}",
            subcategory="Scores, choices, counts",
            labels={"table": "{table}"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/report-tables.log",
    conda:
        "../../environment.yml"
    params:
        results=results_folder,
        code_version=CODE_VERSIONS["report"],
    shell:
        "fewstain --log {log:q} report-tables {params.results:q} --out {output:q}"


rule report_times:
    input:
        benchmarks_of,
    output:
        report(
            f"{RESULTS}/{{dataset}}/report/run-times.html",
            caption="../report/run-times.rst",
            category="{dataset}",
            subcategory="Run times",
            labels={"table": "run times"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/report-times.log",
    conda:
        "../../environment.yml"
    params:
        code_version=CODE_VERSIONS["report"],
    shell:
        "fewstain --log {log:q} report-times {input:q} --out {output:q}"


rule report_pairs:
    input:
        pairs=f"{RESULTS}/{{dataset}}/{{pairs}}",
        segmenter=f"{RESULTS}/{{dataset}}/segmenter/segmenter.json",
    output:
        report(
            directory(f"{RESULTS}/{{dataset}}/report/{{pairs}}"),
            patterns=["{picture}.png", "{picture}.html"],
            caption="../report/pairs.rst",
            category="{dataset}",
            subcategory=lambda wildcards: wildcards.pairs.replace("pairs", "Synthetic pairs").replace("-", " "),
            labels={"picture": "{picture}"},
        ),
    log:
        f"{RESULTS}/{{dataset}}/logs/report-{{pairs}}.log",
    conda:
        "../../environment.yml"
    params:
        dataset=dataset_folder,
        results=results_folder,
        code_version=CODE_VERSIONS["report"],
    shell:
        "fewstain --log {log:q} report-pairs {input.pairs:q} --data {params.dataset:q} --results {params.results:q}"
        " --out {output:q}"
