import errno
import os
from dataclasses import dataclass

import pytest
import torch
from safetensors.torch import save_file

from fewstain.errors import UserError
from fewstain.storage import atomic_path, misfit, read_json, sha256_file, write_error, write_json


def test_a_file_appears_whole_and_keeps_its_suffix(tmp_path):
    with atomic_path(tmp_path / "new" / "a.ome.tif") as temporary:
        assert temporary.parent == tmp_path / "new"
        assert temporary.suffix == ".tif"
        temporary.write_text("done")
        assert not (tmp_path / "new" / "a.ome.tif").exists()
    assert (tmp_path / "new" / "a.ome.tif").read_text() == "done"
    assert len(list((tmp_path / "new").iterdir())) == 1


def write_half(path, error):
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error


@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt()])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(type(error)):
        write_half(tmp_path / "a.txt", error)
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]


def test_a_full_disk_is_told_with_the_files_name(tmp_path):
    with pytest.raises(UserError, match=r"mask\.tif: no space left on the disk; free some"):
        write_half(tmp_path / "mask.tif", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert not list(tmp_path.iterdir())


def test_a_file_in_the_way_of_a_folder(tmp_path):
    (tmp_path / "results").write_text("")
    with (
        pytest.raises(UserError, match="a file stands where a folder is needed"),
        atomic_path(tmp_path / "results" / "a"),
    ):
        pass


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="no permission to write"), atomic_path(tmp_path / "a") as temporary:
        temporary.write_text("")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_a_file_that_another_program_has_open(tmp_path, number):
    with pytest.raises(UserError, match=r"counts\.csv: no permission .* or close the program that has this file open"):
        write_half(tmp_path / "counts.csv", PermissionError(number, os.strerror(number)))


def test_errors_told_only_in_a_librarys_text(tmp_path):
    told = write_error(tmp_path / "w.safetensors", RuntimeError("I/O error: No space left on device (os error 28)"))
    assert "no space left" in str(told)
    assert write_error(tmp_path / "w", RuntimeError("something else")) is None


def test_json_round_trip_and_its_errors(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"µ": [1, None]})
    assert read_json(path) == {"µ": [1, None]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, float("nan"))
    path.write_text("{")
    with pytest.raises(UserError, match=r"a\.json: not readable as JSON"):
        read_json(path)
    with pytest.raises(
        UserError, match=r"b\.json: no such file; run `snakemake --cores all` first, or give results/<dataset>$"
    ):
        read_json(tmp_path / "b.json")


def test_content_of_another_kind_is_told_by_the_key_at_fault():
    @dataclass
    class Point:
        x: int
        y: int

    def told(values):
        with pytest.raises(TypeError) as fault:
            Point(**values)
        return misfit(fault.value)

    assert told({"x": 1}) == "it lacks 'y'"
    assert told({"x": 1, "y": 2, "z": 3}) == "it has 'z', which is not known there"
    assert misfit(KeyError("z")) == "it lacks 'z'"
    assert misfit(ValueError("no decoders")) == "no decoders"


def test_a_folder_in_place_of_a_file_is_no_damaged_json(tmp_path):
    with pytest.raises(UserError, match="cannot be read") as fault:
        read_json(tmp_path)
    assert "remove it" not in str(fault.value)


def test_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")
def test_a_new_file_has_the_usual_permissions_whatever_the_library_that_wrote_it(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "w.safetensors") as temporary:
            save_file({"a": torch.zeros(2)}, temporary)
            temporary.chmod(0o600)
    finally:
        os.umask(before)
    assert (tmp_path / "w.safetensors").stat().st_mode & 0o777 == 0o640
