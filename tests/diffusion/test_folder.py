import pytest

from fewstain.diffusion.folder import check_replaceable, replaced_folder
from fewstain.errors import UserError


def test_a_folder_is_replaced_whole(tmp_path):
    out = tmp_path / "diffusion"
    with replaced_folder(out) as folder:
        (folder / "a").write_text("old")
    for stale in ("part", "old"):  # of sessions that were killed
        (tmp_path / f".diffusion.12ab.{stale}").mkdir()
    with replaced_folder(out) as folder:
        (folder / "b").write_text("new")
        assert (out / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["diffusion"]
    assert [path.name for path in out.iterdir()] == ["b"]


def test_nothing_half_written_stays(tmp_path):
    def interrupted():
        with replaced_folder(tmp_path / "diffusion") as folder:
            (folder / "a").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not list(tmp_path.iterdir())


def test_other_folders_are_not_written_over(tmp_path):
    check_replaceable(tmp_path / "new" / "diffusion", {"fewstain.json"}, "a denoiser")
    out = tmp_path / "out"
    out.mkdir()
    (out / "fewstain.json").write_text("{}")
    check_replaceable(out, {"fewstain.json"}, "a denoiser")
    (out / "thesis.tex").write_text("")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        check_replaceable(out, {"fewstain.json"}, "a denoiser")
    with pytest.raises(UserError, match="is a file"):
        check_replaceable(out / "thesis.tex", {"fewstain.json"}, "a denoiser")
    with pytest.raises(UserError, match="file stands where a folder is needed"):
        check_replaceable(out / "thesis.tex" / "diffusion", {"fewstain.json"}, "a denoiser")


def test_an_unwritable_place_is_told_before_training(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(UserError, match="no permission to write"):
        check_replaceable(tmp_path / "diffusion", {"fewstain.json"}, "a denoiser")
