# The embedded images. They are listed one by one: a file that somebody deleted or replaced is then left as it is.
rule demo_data:
    output:
        images=expand(f"{DATA}/demo/images/{{name}}.tif", name=["img2d-left", "nuclear"]),
        labels=expand(f"{DATA}/demo/labels/img2d-left__y{{y}}_x{{x}}.tif", y=[0, 128, 256, 384], x=[0, 128]),
        test_image=f"{DATA}/demo/test/images/img2d-right.tif",
        test_labels=f"{DATA}/demo/test/labels/img2d-right.tif",
        tissue=expand(f"{DATA}/demo-tissue/images/{{name}}.tif", name=["histo", "ihc"]),
    log:
        f"{RESULTS}/logs/demo-data.log",
    conda:
        "../../environment.yml"
    params:
        folder=lambda wildcards, output: Path(output.test_image).parents[2].as_posix(),
        code_version=CODE_VERSIONS["data"],
    shell:
        "fewstain --log {log:q} demo-data {params.folder:q}"
