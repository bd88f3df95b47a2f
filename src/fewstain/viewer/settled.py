"""Whether a predicted mask is the one that measurements.csv tells of: a run makes masks one by one, the table last."""

from __future__ import annotations

from collections.abc import Mapping

from fewstain.errors import UserError
from fewstain.pixels.parts import Parts
from fewstain.viewer.study import Study


def check_settled(study: Study, image: str, shown: Mapping[int, int], told: Mapping[int, int]) -> None:
    """Refuse a prediction that the table does not tell of; corrected ones, and those changed by hand, are let be.

    Parameters
    ----------
    study, image
        Where the files are, and the stem of the image.
    shown
        Label -> pixels, of the objects of the mask that is shown.
    told
        The same, of the table.

    Raises
    ------
    UserError
        A run has made the mask anew, or nobody knows who has changed it.
    """
    mask = study.mask(image)
    if mask is None or shown == told or study.corrected(image).is_file():
        return
    if Parts(mask.parents[1], mask.parent).is_edited(image):
        return
    raise UserError(
        f"{mask}: not the mask that measurements.csv tells of; a run is writing here, or was stopped: let it end, or "
        f"run again, then open the results again. If you changed the mask yourself, move it to {study.corrected(image)}"
    )
