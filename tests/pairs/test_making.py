"""What a wish for pairs is made with."""

import pytest

from fewstain.pair_settings import PairKind
from fewstain.pairs.making import Request, denoiser_folder, open_source


@pytest.mark.parametrize(
    ("kind", "alone", "with_painter"),
    [
        (PairKind.layout, "painter/diffusion", "painter/diffusion"),
        (PairKind.image, "diffusion", "painter/diffusion"),
        (PairKind.edit, "diffusion", "diffusion"),
    ],
)
def test_edits_are_painted_by_the_denoiser_whether_there_is_a_painter_or_not(tmp_path, kind, alone, with_painter):
    assert denoiser_folder(tmp_path, kind) == tmp_path / alone
    (tmp_path / "painter" / "diffusion").mkdir(parents=True)
    assert denoiser_folder(tmp_path, kind) == tmp_path / with_painter


@pytest.mark.parametrize(("n_labels", "taken"), [(None, ["a", "b", "c"]), (2, ["a", "b"])])
def test_no_more_labels_are_edited_than_asked_for(tmp_path, discs, labeled_dataset, n_labels, taken):
    labeled_dataset(tmp_path, {name: discs(seed) for seed, name in enumerate("abc")})
    source = open_source(Request(kind=PairKind.edit, n=1, source=tmp_path, n_labels=n_labels))
    assert [window.labels.stem for window in source.windows] == taken
