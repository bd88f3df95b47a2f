"""The kinds of pictures there are."""

from enum import StrEnum


class Kind(StrEnum):
    """Which images a picture shows."""

    labeled = "labeled"
    test = "test"
    pool = "pool"
