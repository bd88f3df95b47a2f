import json
from dataclasses import replace

import pytest

from fewstain.errors import UserError
from fewstain.pixels.decode import DecoderParameters
from fewstain.pixels.record import RECORD_FILE, read_record


def test_a_record_is_read_as_written(grey_results, tmp_path):
    record = read_record(grey_results / "pixels")
    record.write(tmp_path)
    assert read_record(tmp_path) == record
    assert record.pixel_classes == 3
    assert isinstance(record.decoder.decoders[0], DecoderParameters)
    assert record.blocks == ("up0.1", "up1.1")


def test_the_hash_follows_what_changes_masks(grey_results):
    record = read_record(grey_results / "pixels")
    assert record.model_hash == record.compute_hash()
    assert len(record.model_hash) == 64
    twice = replace(record.decoder, decoders=2 * record.decoder.decoders)
    assert replace(record, decoder=twice).compute_hash() != record.model_hash
    assert replace(record, ensemble_sha256="0" * 64).compute_hash() != record.model_hash
    assert replace(record, n_labels=7).compute_hash() == record.model_hash


def test_no_record(tmp_path):
    with pytest.raises(UserError, match=r"pixels\.json: no such file.*run fit-pixels"):
        read_record(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"decoder": {"spikes": 3}},
        {"decoder": {"decoders": [], "score": None}},
        {"timesteps": None},
        {"colour": "red"},
    ],
)
def test_a_foreign_record(grey_results, tmp_path, change):
    values = json.loads((grey_results / "pixels" / RECORD_FILE).read_text())
    (tmp_path / RECORD_FILE).write_text(json.dumps(values | change))
    with pytest.raises(UserError, match="run fit-pixels again"):
        read_record(tmp_path)


def test_a_record_that_is_no_table(tmp_path):
    (tmp_path / RECORD_FILE).write_text("[1, 2]")
    with pytest.raises(UserError, match="run fit-pixels again"):
        read_record(tmp_path)
