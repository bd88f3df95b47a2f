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


def test_names_and_files_in_the_way(tmp_path):
    with pytest.raises(UserError, match="choose another name"):
        init(tmp_path / "data" / "my stain")
    (tmp_path / "data").write_text("")
    with pytest.raises(UserError, match="a file stands where a folder is needed"):
        init(tmp_path / "data" / "mine")
