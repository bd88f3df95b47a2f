import json
import shutil

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

import fewstain
from fewstain.errors import UserError
from fewstain.pairs.joint import JointPredictor
from fewstain.pairs.method import Method
from fewstain.pairs.segmenter import SegmenterPredictor
from fewstain.pairs.segmenter_record import WEIGHTS_FILE, read_segmenter_record
from fewstain.pixels.predict import EnsemblePredictor


@pytest.fixture
def results(trained, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(trained / "results", tmp_path / "results")


def test_each_method_has_its_own_predictor_decoder_and_hash(trained, discs):
    results = trained / "results"
    models = {method: fewstain.load(results, "cpu", method) for method in Method}
    assert isinstance(models["ensemble"].predictor, EnsemblePredictor)
    assert isinstance(models["segmenter"].predictor, SegmenterPredictor)
    assert isinstance(models["both"].predictor, JointPredictor)
    assert len({model.record.model_hash for model in models.values()}) == 3
    record = read_segmenter_record(results / "segmenter")
    assert models["segmenter"].record.decoder == record.decoders["segmenter"]
    for model in models.values():
        assert model.segment(discs(8)[0]).labels.max() > 2


def test_by_default_what_was_best_out_of_fold_segments(results):
    path = results / "segmenter" / "segmenter.json"
    for method, kind in (("segmenter", SegmenterPredictor), ("both", JointPredictor), ("ensemble", EnsemblePredictor)):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"method": method}))
        assert isinstance(fewstain.load(results, "cpu").predictor, kind)
    shutil.rmtree(results / "segmenter")
    assert isinstance(fewstain.load(results, "cpu").predictor, EnsemblePredictor)
    with pytest.raises(UserError, match=r"segmenter\.json: no such file, so there is no segmenter; run train-segm"):
        fewstain.load(results, "cpu", "segmenter")


def test_the_segmenter_needs_no_ensemble_weights(results, discs):
    found = fewstain.load(results, "cpu", "segmenter").segment(discs(8)[0])
    (results / "pixels" / "ensemble.safetensors").unlink()
    again = fewstain.load(results, "cpu", "segmenter").segment(discs(8)[0])
    np.testing.assert_array_equal(found.labels, again.labels)


def test_damaged_or_foreign_parts_are_told(results):
    weights = results / "segmenter" / WEIGHTS_FILE
    tensors = load_file(weights)
    save_file({name: tensor + 1 for name, tensor in tensors.items()}, weights)
    with pytest.raises(UserError, match=r"not the weights that segmenter\.json beside it tells of"):
        fewstain.load(results, "cpu", "segmenter")
    weights.write_bytes(b"no weights")
    with pytest.raises(UserError, match=r"segmenter\.safetensors: damaged, or of another network"):
        fewstain.load(results, "cpu", "segmenter")
    weights.unlink()
    with pytest.raises(UserError, match=r"segmenter\.safetensors: no such file; run train-segmenter again"):
        fewstain.load(results, "cpu", "segmenter")
    record = results / "pixels" / "pixels.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"ensemble_sha256": "0" * 64}))
    with pytest.raises(UserError, match=r"tuned beside another ensemble .* run train-segmenter again"):
        fewstain.load(results, "cpu", "both")
    (results / "segmenter" / "segmenter.json").write_text("{}")
    with pytest.raises(UserError, match="not the record of a segmenter"):
        fewstain.load(results, "cpu", "both")
