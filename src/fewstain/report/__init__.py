"""Pictures and tables for Snakemake's report, and scores.json."""
