# The tables once more, with the objects of corrected masks in place of the predicted ones.
rule corrections:
    input:
        masks=lambda wildcards: corrected_masks(wildcards.dataset),
        measurements=f"{RESULTS}/{{dataset}}/measurements.csv",
        counts=f"{RESULTS}/{{dataset}}/counts.csv",
    output:
        measurements=f"{RESULTS}/{{dataset}}/corrected_measurements.csv",
        counts=f"{RESULTS}/{{dataset}}/corrected_counts.csv",
    log:
        f"{RESULTS}/{{dataset}}/logs/corrections.log",
    conda:
        "../../environment.yml"
    params:
        results=results_folder,
        dataset=dataset_folder,
        code_version=CODE_VERSIONS["corrections"],
    shell:
        "fewstain --log {log:q} apply-corrections {params.results:q} --data {params.dataset:q}"
