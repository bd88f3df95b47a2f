# Methods side by side:  snakemake --cores all benchmark --config benchmark=FILE.yaml
# Cells that are there are never run again; those that are not are jobs of their own.
rule benchmark:
    input:
        missing_cells,
    output:
        table=f"{RESULTS}/benchmark.csv",
        html=report(
            f"{RESULTS}/benchmark.html",
            caption="../report/benchmark.rst",
            category="Benchmark",
            labels={"table": "methods"},
        ),
        figures=report(
            expand(f"{RESULTS}/benchmark-{{score}}.png", score=["AP50", "PQ"]),
            caption="../report/benchmark.rst",
            category="Benchmark",
        ),
    log:
        f"{RESULTS}/logs/benchmark.log",
    conda:
        "../../environment.yml"
    params:
        subset=benchmark_subset,
        named=BENCHMARK_NAMED,
        out=lambda wildcards, output: output.table.removesuffix(".csv"),
        data=DATA,
        channels=table_channels,
        cells=sorted(CELLS),
        code_version=CODE_VERSIONS["benchmark"],
    shell:
        "fewstain --log {log:q} benchmark-table {params.subset:q} --named {params.named:q} --out {params.out:q}"
        " --data {params.data:q} {params.channels:q}"


rule benchmark_pretrain:
    input:
        pool_needs,
    output:
        directory(f"{POOL_FOLDER}/{{pooltraining}}"),
    log:
        f"{POOL_FOLDER}/logs/{{pooltraining}}.log",
    conda:
        "../../environment.yml"
    threads: workflow.cores
    params:
        state=f"{POOL_FOLDER}/state/{{pooltraining}}",
        words=pool_words,
    shell:
        "fewstain --log {log:q} benchmark-pretrain {params.words:q} --out {output:q} --state {params.state:q}"


rule benchmark_cell:
    input:
        cell_needs,
    output:
        f"{CELL_FOLDER}/{{cell}}.json",
    log:
        f"{POOL_FOLDER}/logs/{{cell}}.log",
    conda:
        "../../environment.yml"
    # side by side they would take each other's time, and time is what they are compared by
    threads: workflow.cores
    params:
        words=cell_words,
    shell:
        "fewstain --log {log:q} benchmark-cell {params.words:q} --out {output:q} > /dev/null"
