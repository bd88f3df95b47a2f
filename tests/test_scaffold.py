import pytest
import yaml

from fewstain.config import load_config
from fewstain.errors import UserError
from fewstain.scaffold import init


def test_a_new_project(tmp_path):
    made = init(tmp_path / "lab")
    assert (tmp_path / "lab" / "data" / "mystain" / "images").is_dir()
    assert (tmp_path / "lab" / "data" / "mystain" / "test" / "labels").is_dir()
    assert made[-1] == tmp_path / "lab" / "config.yaml"
    assert list(load_config(made[-1]).datasets) == ["mystain"]
    assert init(tmp_path / "lab") == []


def test_a_dataset_in_a_project_leaves_its_config_alone(tmp_path):
    (tmp_path / "config.yaml").write_text("datasets: {a: }\n")
    init(tmp_path / "data" / "ki67")
    assert (tmp_path / "data" / "ki67" / "labels").is_dir()
    assert yaml.safe_load((tmp_path / "config.yaml").read_text()) == {"datasets": {"a": None}}


@pytest.mark.parametrize("name", ["2024-05-01", "001", "no", "1e3", "a.b_c"])
def test_names_that_yaml_would_misread_are_quoted(tmp_path, name):
    init(tmp_path / "data" / name)
    assert list(load_config(tmp_path / "config.yaml").datasets) == [name]


@pytest.mark.parametrize("name", ["my stain", "f\N{LATIN SMALL LETTER A WITH DIAERESIS}rbung", "_x", "-x", "across"])
def test_names_that_no_config_can_have(tmp_path, name):
    with pytest.raises(UserError, match="choose another name"):
        init(tmp_path / "data" / name)
    assert not list(tmp_path.iterdir())


def test_files_in_the_way(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(UserError, match="a file stands where a folder is needed"):
        init(tmp_path / "data" / "mine")
