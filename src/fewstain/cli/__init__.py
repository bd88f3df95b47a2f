"""The command `fewstain`: one verb a step, the same functions that the workflow and Python programs call.

This package parses, calls and prints. A verb imports what it needs when it runs, so that `--help` is quick.
"""

from fewstain.cli.run import app, main

__all__ = ["app", "main"]
