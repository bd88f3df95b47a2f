rule scores:
    input:
        record=f"{RESULTS}/{{dataset}}/pixels/pixels.json",
        cost=f"{RESULTS}/{{dataset}}/pixels/cost.json",
        test=branch(
            lambda wildcards: has_test(wildcards.dataset), then=f"{RESULTS}/{{dataset}}/test/counts.csv", otherwise=[]
        ),
        labels=test_labels,
    output:
        f"{RESULTS}/{{dataset}}/scores.json",
    log:
        f"{RESULTS}/{{dataset}}/logs/scores.log",
    conda:
        "../../environment.yml"
    params:
        results=results_folder,
        dataset=dataset_folder,
        code_version=CODE_VERSIONS["evaluate"],
    shell:
        "fewstain --log {log:q} scores {params.results:q} --data {params.dataset:q}"
