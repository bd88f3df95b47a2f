rule scores:
    input:
        record=f"{RESULTS}/{{dataset}}/pixels/pixels.json",
        segmenter=f"{RESULTS}/{{dataset}}/segmenter/segmenter.json",
        costs=expand("{results}/{{dataset}}/{part}/cost.json", results=RESULTS, part=("pixels", "segmenter")),
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
