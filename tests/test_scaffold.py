import pytest
import yaml

from fewstain.cli import run as cli
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


def test_the_folder_of_the_datasets_is_no_project(tmp_path):
    (tmp_path / "config.yaml").write_text("datasets: {a: }\n")
    with pytest.raises(UserError, match=r"data: holds the datasets of .*config\.yaml; name one, as in .*data.mystain"):
        init(tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


@pytest.mark.parametrize(("folder", "told"), [("data/ki67", "ki67"), ("data/a", None), (".", "mystain")])
def test_a_dataset_that_the_config_does_not_name_is_told(tmp_path, capsys, folder, told):
    config = tmp_path / "config.yaml"
    config.write_text("datasets: {a: }\n")
    assert cli.run(["init", str(tmp_path / folder)]) == 0
    text = capsys.readouterr().err
    assert (f'name it in {config}: a line `  "{told}":` under `datasets:`' in text) == bool(told)
    assert ("under `datasets:`" in text) == bool(told)


def test_a_new_config_names_its_dataset(tmp_path, capsys):
    assert cli.run(["init", str(tmp_path)]) == 0
    assert "under `datasets:`" not in capsys.readouterr().err


def test_files_in_the_way(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(UserError, match="a file stands where a folder is needed"):
        init(tmp_path / "data" / "mine")
