"""`fewstain check`: read every file of a dataset once and tell all problems at once."""

from fewstain.check.report import CheckReport, Problem
from fewstain.check.run import LEAST_SIDE, check_dataset

__all__ = ["LEAST_SIDE", "CheckReport", "Problem", "check_dataset"]
