# From every dataset in config.yaml to its masks, scores and report:  snakemake --cores all


configfile: "config.yaml"


include: "workflow/rules/settings.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/check.smk"
include: "workflow/rules/diffusion.smk"
include: "workflow/rules/across.smk"
include: "workflow/rules/pixels.smk"
include: "workflow/rules/pairs_plan.smk"
include: "workflow/rules/pairs.smk"
include: "workflow/rules/corrections.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/toolbox_plan.smk"
include: "workflow/rules/toolbox.smk"
include: "workflow/rules/benchmark_plan.smk"
include: "workflow/rules/benchmark.smk"
include: "workflow/rules/report.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        wanted_results() + finished_benchmark(),


onsuccess:
    tell_what_to_label()
