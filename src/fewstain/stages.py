"""The version of each stage's code, which the workflow keeps beside the results.

Snakemake sees when a command line changes, but not when the package behind it does. Raise a stage's number when it
would give other results from the same input; every user's results of that stage, and what follows from them, are then
made again. A change that leaves results as they are (speed, messages, names) raises nothing.
"""

CODE_VERSIONS = {
    "data": 1,
    "check": 2,
    "diffusion": 1,
    "across": 1,
    "pixels": 14,
    "painter": 1,
    "pairs": 4,
    "gather": 3,
    "segmenter": 17,
    "segment": 9,
    "corrections": 5,
    "evaluate": 2,
    "report": 3,
    "samples": 1,
    "adapter": 1,
    "benchmark": 2,
    "benchmark-mae": 1,
    "benchmark-vae": 1,
    "benchmark-gan": 1,
    "vae": 1,
    "latent": 1,
    "control": 1,
    "translation": 1,
}
