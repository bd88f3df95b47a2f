import shutil

import pytest

from fewstain.errors import UserError
from fewstain.viewer.study import Given, Study, channels_of, is_study, locate, project_of


def test_dataset_and_results_find_each_other(project):
    assert locate(project.data) == locate(project.results) == Study(project.data, project.results)
    assert project_of(locate(project.data))[0] == project.folder


def test_a_dataset_without_a_project_has_no_results(project, tmp_path):
    shutil.copytree(project.data, tmp_path / "alone")
    study = locate(tmp_path / "alone")
    assert study.results is None
    with pytest.raises(UserError, match="no results yet"):
        study.corrected("a")
    with pytest.raises(UserError, match=r"no config.yaml .* names this dataset"):
        project_of(study)


def test_another_folder_is_told_what_it_should_be(tmp_path):
    assert not is_study(tmp_path)
    with pytest.raises(UserError, match=r"neither a dataset .* nor results"):
        locate(tmp_path)


def test_a_dataset_that_was_moved_is_told_and_may_be_given(project):
    moved = project.data.rename(project.data.with_name("moved"))
    with pytest.raises(UserError, match=r"correct `path` in it, or write it anew: fewstain check DATASET --record /"):
        locate(project.results)
    assert locate(project.results, moved) == Study(moved, project.results)
    given = Given(project.results, moved)
    assert given.locate(project.results) == Study(moved, project.results)
    with pytest.raises(UserError, match="neither a dataset"):
        given.locate(project.folder)  # another folder, of which nothing was said


def test_channels_are_those_of_the_project(project, tmp_path):
    assert channels_of(locate(project.data)) is None
    (project.folder / "config.yaml").write_text("datasets:\n  cells:\n    channels: [0]\n")
    assert channels_of(locate(project.data)) == (0,)
    (project.folder / "config.yaml").write_text("datasets:\n  others:\n")
    assert channels_of(Study(project.data)) is None
    (project.folder / "config.yaml").write_text("datasets:\n  cells:\n    chanels: [0]\n")
    with pytest.raises(UserError, match="chanels"):
        channels_of(Study(project.data))


def test_files_of_an_image(project):
    study = locate(project.results)
    assert list(study.images) == ["a", "b"]
    assert study.mask("a") == project.results / "masks" / "a.tif"
    assert study.uncertainty("c") is None
    assert [(window.y, window.x) for window in study.labels_of("a")] == [(0, 0)]
    assert study.labels_of("b") == []
    assert study.corrected("a") == project.results / "corrected" / "a.tif"
    with pytest.raises(UserError, match="no image c"):
        study.image("c")
