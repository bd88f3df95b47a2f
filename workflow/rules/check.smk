rule check:
    input:
        all_files,
    output:
        found=f"{RESULTS}/{{dataset}}/check.json",
        record=f"{RESULTS}/{{dataset}}/dataset.json",
    log:
        f"{RESULTS}/{{dataset}}/logs/check.log",
    benchmark:
        f"{RESULTS}/{{dataset}}/.times/check.tsv"
    conda:
        "../../environment.yml"
    params:
        dataset=dataset_folder,
        options=lambda wildcards: channel_options(wildcards) + pixel_size_options(wildcards),
        code_version=CODE_VERSIONS["check"],
    shell:
        "fewstain --log {log:q} check {params.dataset:q} --json {output.found:q} --record {output.record:q}"
        " {params.options:q}"
