"""What a check found, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fewstain.errors import UserError


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with one file, and what to do about it."""

    file: str
    fault: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.fault}; {self.remedy}"

    @classmethod
    def from_error(cls, path: Path, error: UserError) -> Problem:
        """Take a message "FILE: fault; remedy" apart."""
        fault, _, remedy = str(error).removeprefix(f"{path}: ").rpartition("; ")
        return cls(str(path), fault, remedy) if fault else cls(str(path), remedy, "replace the file")


@dataclass
class CheckReport:
    """All problems of a dataset, and what is in it.

    Attributes
    ----------
    errors, warnings : list of Problem
        Errors stop the workflow, warnings do not.
    notes : list of str
        What was done on the way ("alpha channel dropped").
    n_images, n_labels, n_objects, n_whole_objects, n_test, n_test_labeled : int
        Readable files; objects in the label files of the pool, and those of them that no window's edge cuts.
    channels : int or None
        Channels of the images, None without any image.
    dtype : str or None
        Their dtype.
    sizes : dict
        Image name -> [H, W].
    pixel_sizes_um : dict
        Image name -> side of a pixel in µm or None, as the files tell.
    hashes : dict
        Name of each pool image -> SHA-256 of its pixels.
    suggestions : list of str
        File names for labels of windows worth labeling, when there are no labels yet.
    """

    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    n_images: int = 0
    n_labels: int = 0
    n_objects: int = 0
    n_whole_objects: int = 0
    n_test: int = 0
    n_test_labeled: int = 0
    channels: int | None = None
    dtype: str | None = None
    sizes: dict[str, list[int]] = field(default_factory=dict)
    pixel_sizes_um: dict[str, float | None] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    suggestions: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the workflow can run."""
        return not self.errors

    def error(self, path: Path | str, fault: str, remedy: str) -> None:
        """Add an error."""
        self.errors.append(Problem(str(path), fault, remedy))

    def warn(self, path: Path | str, fault: str, remedy: str) -> None:
        """Add a warning."""
        self.warnings.append(Problem(str(path), fault, remedy))

    def refuse(self, path: Path, error: UserError) -> None:
        """Add what a reader said about a file."""
        self.errors.append(Problem.from_error(path, error))

    def note(self, path: Path, notes: Iterable[str]) -> None:
        """Add a reader's notes about a file."""
        self.notes += [f"{path}: {text}" for text in notes]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form, with the key `ok`."""
        return {"ok": self.ok} | asdict(self)
