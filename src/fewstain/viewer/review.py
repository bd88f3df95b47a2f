"""Looking through the objects of a dataset: decisions, corrected masks, and a table that follows both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fewstain.errors import UserError
from fewstain.images.write import write_labels
from fewstain.pixels.carried import renew_corrections
from fewstain.pixels.decisions import DECISION, Decision, write_objects
from fewstain.viewer.corrections import next_label
from fewstain.viewer.decided import read_decided
from fewstain.viewer.earlier import Earlier
from fewstain.viewer.forgotten import move_aside
from fewstain.viewer.learned import copy_to_labels
from fewstain.viewer.open_image import OpenImage, areas_of
from fewstain.viewer.settled import check_settled
from fewstain.viewer.study import Study


class Review:
    """The objects of all images, and the corrected mask of the one that is open.

    What is decided in an image is kept in corrected/<image>.tif (the mask) and corrected/<image>.csv (its objects with
    their decisions) of the results folder; predictions are never written. The mask's file is only there once something
    in it was decided. Corrections of an earlier model's masks are carried over to the current ones first.

    Attributes
    ----------
    table : pandas.DataFrame
        One row an object with the columns of measurements.csv and `decision`, index 0..n-1.
    carried : list of str
        Images whose corrections were carried over: what nobody had decided on there is of the current model now.
    """

    def __init__(self, study: Study) -> None:
        if study.results is None or not (study.results / "measurements.csv").is_file():
            raise UserError(f"{study.data}: no measurements.csv in its results yet; run the workflow first")
        self.study = study
        self.results: Path = study.results
        self._written = _written(self.results)
        self.carried = renew_corrections(self.results)
        self.table, self._models = read_decided(self.results, self.study.images)
        self._open: OpenImage | None = None
        self._earlier = Earlier()
        self._accepted: dict[int, Decision] = {}

    @property
    def image(self) -> str | None:
        """The image that is open."""
        return None if self._open is None else self._open.name

    @property
    def is_outdated(self) -> bool:
        """Whether a run wrote measurements.csv anew since this was made."""
        return _written(self.results) not in (None, self._written)

    @property
    def left(self) -> int:
        """How many objects nobody has decided on."""
        return int((self.table[DECISION] == Decision.OPEN).sum())

    def left_in(self, image: str) -> int:
        """Count those of one image."""
        return int(((self.table["image"] == image) & (self.table[DECISION] == Decision.OPEN)).sum())

    def open(self, image: str, pixels: Any, labels: NDArray[np.integer], uncertainty: Any = None) -> None:
        """Take up an image; `pixels` (H, W, C) and `uncertainty` (H, W), if any, are measured where its mask changes.

        Both are sliced by boxes. `labels` is the mask that is shown; the table is brought to agree with it. Objects
        that it does not have, and that nobody has decided on, are left out: that a number is missing is no decision.

        Raises
        ------
        UserError
            A run has made the mask anew, and the table does not tell of it yet; all stays as it was.
        """
        rows, areas = self.table[self.table["image"] == image], areas_of(labels)
        check_settled(self.study, image, areas, dict(zip(rows["label"], rows["area_px"], strict=True)))
        missing = rows.index[(rows[DECISION] == Decision.OPEN) & ~rows["label"].isin(list(areas))]
        self.table = self.table.drop(index=missing).reset_index(drop=True)
        self._open = OpenImage(self.study, image, pixels, uncertainty, self._models.get(image, ""))
        self.sync(labels, Decision.OPEN)
        self._earlier, self._accepted = Earlier(), {}

    def rows(self, labels: Sequence[int]) -> list[int]:
        """Rows of objects of the open image."""
        mine = (self.table["image"] == self.image) & self.table["label"].isin(list(labels))
        return [int(row) for row in self.table.index[mine]]

    def next_label(self, labels: NDArray[np.integer]) -> int:
        """Give a number that no object of the open image's mask (H, W) has, nor a rejected one had."""
        known = self.table.loc[self.table["image"] == self.image, "label"]
        return max(next_label(labels), 1 + int(known.to_numpy().max(initial=0)))

    def decide(self, labels: Sequence[int], decision: Decision) -> None:
        """Note a decision on objects of the open image."""
        self.table.loc[self.rows(labels), DECISION] = decision.value

    def drawn(self, labels: Sequence[int]) -> dict[int, Decision]:
        """Label -> decision, of those that are in the open image's mask: rejected objects are not."""
        rows = self.table.loc[self.rows(labels)]
        rows = rows[rows[DECISION] != Decision.REJECTED]
        return {int(label): Decision(each) for label, each in zip(rows["label"], rows[DECISION], strict=True)}

    def accept(self, labels: Sequence[int]) -> bool:
        """Accept objects of the open image; where all of them are accepted, take that back instead, and say so: True.

        They are then what they were before, or left to look at where that was not in this session. Rejected ones stay
        rejected: nothing of them is there to be accepted.
        """
        before = self.drawn(labels)
        if before and set(before.values()) == {Decision.ACCEPTED}:
            for label in before:
                self.decide([label], self._accepted.pop(label, Decision.OPEN))
            return True
        self._accepted |= {label: each for label, each in before.items() if each != Decision.ACCEPTED}
        self.decide(list(before), Decision.ACCEPTED)
        return False

    def sync(
        self,
        labels: NDArray[np.integer],
        decision: Decision = Decision.CHANGED,
        among: Sequence[int] | None = None,
        *,
        undone: bool = False,
    ) -> list[int]:
        """Bring the table to agree with the open image's mask after any change to it.

        Objects whose area is another one are measured anew, new ones get a row, and objects that are gone are rejected
        but keep theirs, so that bringing them back is possible.

        Parameters
        ----------
        labels : (H, W)
            The mask as it is now.
        decision
            Noted for objects that are new or have changed.
        among
            Only these labels can have changed; all of them by default, which takes a second on 8192 x 8192 pixels.
        undone
            A change was taken back, or done again: what was decided before comes back with the shapes.

        Returns
        -------
        list of int
            The labels that were measured.
        """
        if self._open is None:
            raise ValueError("open an image first")
        areas = areas_of(labels, among)
        mine = self.table["image"] == self.image
        if among is not None:
            mine &= self.table["label"].isin(list(among))
        known = self.table[mine].set_index("label")
        present = set(areas)
        gone = [label for label in known.index if label not in present]
        back = known.index[(known[DECISION] == Decision.REJECTED) & known.index.isin(list(present))]
        changed = [label for label in present if label not in known.index or known["area_px"][label] != areas[label]]
        self._earlier.keep(self.table.loc[self.rows([*gone, *changed])])
        for label in back:
            row = self._earlier.find(self.table.loc[self.rows([label])]) if undone else None
            self.decide([label], Decision.OPEN if row is None else Decision(row[DECISION].iloc[0]))
        self.decide(gone, Decision.REJECTED)
        measured = {label: self._open.measure(labels, label) for label in changed}
        fresh = [self._fresh(row, known["class"].get(label), decision, undone) for label, row in measured.items()]
        lost = [label for label in gone if undone and self._earlier.is_made(label)]
        if changed or lost:
            kept = self.table.drop(index=self.rows([*changed, *lost]))
            self.table = pd.concat([kept, *fresh], ignore_index=True)
        for label in set(changed) - set(known.index):
            self._earlier.made(label)
        return sorted(changed)

    def _fresh(self, row: pd.DataFrame, kind: str | None, decision: Decision, undone: bool) -> pd.DataFrame:
        """Complete the row of an object that is new or has changed; `kind` is its class."""
        earlier = self._earlier.find(row) if undone else None
        if earlier is not None:
            return earlier
        return row.assign(**{DECISION: decision.value, "class": kind}).reindex(columns=self.table.columns)

    def write(self, labels: NDArray[np.integer]) -> None:
        """Keep the open image's mask and decisions.

        Raises
        ------
        UserError
            The files cannot be written.
        """
        if self.image is None:
            return
        write_labels(self.study.corrected(self.image), labels)
        rows = self.table[self.table["image"] == self.image]
        write_objects(self.study.corrected(self.image).with_suffix(".csv"), rows)

    def discard(self, image: str) -> Path | None:
        """Move all decisions on an image aside, as `move_aside` does: its prediction counts again.

        Raises
        ------
        UserError
            They cannot be moved; or a run has taken measurements.csv away: nothing is moved then.
        """
        if _written(self.results) is None:
            raise UserError(
                f"{self.results / 'measurements.csv'}: no such file; a run is making it anew, or was stopped: let it "
                "end, or run again"
            )
        aside = move_aside(self.study.corrected(image))
        self.table, self._models = read_decided(self.results, self.study.images)
        return aside

    def use_as_labels(self, image: str) -> Path:
        """Copy a corrected mask to the dataset's labels, so that the next run learns from it; see `copy_to_labels`.

        Raises
        ------
        UserError
            Objects of the image are undecided: what nobody looked at would be learned as truth; nothing was decided; or
            the image has labels, which would be learned twice.
        """
        if self.left_in(image) or not self.study.corrected(image).is_file():
            raise UserError(
                f"{image}: {self.left_in(image)} objects are undecided; accept or correct all of them first"
            )
        if existing := self.study.labels_of(image):
            raise UserError(
                f"{existing[0].labels}: labels of this image exist; move them away to use the corrected mask"
            )
        rows = self.table[self.table["image"] == image].set_index("label")
        return copy_to_labels(self.study, image, rows["class"].dropna().to_dict() if "class" in rows else {})


def _written(results: Path) -> int | None:
    """When measurements.csv was written, ns; None while a run has taken it away."""
    path = results / "measurements.csv"
    return path.stat().st_mtime_ns if path.is_file() else None
