# A checkpoint, so that what follows is looked at once more when the check is done: Snakemake takes all that follows from a
# step that runs again as due or, where the link is ancient, as not due, whatever else has changed.
checkpoint check:
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
