import numpy as np

import fewstain
from fewstain.images.write import write_image
from fewstain.pairs.pool_labels import label_pool


def test_the_ensembles_objects_label_windows_where_its_decoders_agree(fitted, tmp_path, discs):
    model = fewstain.load(fitted / "results", "cpu", "ensemble")
    paths = []
    for seed in (30, 31):
        paths.append(tmp_path / f"{seed}.tif")
        write_image(paths[-1], discs(seed, side=160)[0])
    found = label_pool(model, paths, 3, 4, np.random.default_rng(0))
    assert sorted(each.window.group for each in found) in (["30", "30", "31"], ["30", "31", "31"])
    assert len({(each.window.group, each.window.source_rows[0, 0]) for each in found}) == 3
    for each in found:
        truth = discs(int(each.window.group), side=160)[1]
        there = truth[each.window.source_rows, each.window.source_columns] > 0
        assert each.window.labels.shape == each.doubtful.shape == (128, 128)
        assert not (each.window.labels[each.doubtful] > 0).any()
        believed = each.window.labels > 0
        assert np.count_nonzero(believed & there) > 0.7 * np.count_nonzero(believed)  # discs, for the most part
    assert label_pool(model, [], 3, 4, np.random.default_rng(0)) == []


def test_nothing_is_believed_that_the_decoders_differ_on(fitted, tmp_path, discs, monkeypatch):
    path = tmp_path / "a.tif"
    write_image(path, discs(30, side=160)[0])
    monkeypatch.setattr("fewstain.pairs.pool_labels.SURE", 1.1)
    found = label_pool(fewstain.load(fitted / "results", "cpu", "ensemble"), [path], 1, 4, np.random.default_rng(0))[0]
    assert not found.window.labels.any()
    assert found.doubtful.any()
