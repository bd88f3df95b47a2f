"""Tables of a results folder, as the report reads them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from fewstain.errors import UserError


def read_table(path: Path, separator: str = ",") -> pd.DataFrame:
    """Read a table that an earlier step wrote; names of images are text, such as "001" or "NA".

    Parameters
    ----------
    path
        A CSV of ours, or a table of Snakemake's.
    separator
        Between columns: a comma, or the tab of Snakemake's tables, in which NA is a number that is not known.

    Raises
    ------
    UserError
        The file is missing or damaged.
    """
    try:
        return pd.read_csv(
            path,
            sep=separator,
            dtype={"image": str},
            keep_default_na=separator == "\t",
            na_values={"mean_uncertainty": [""]},
        )
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not readable ({error}); run the step that writes it again") from error
