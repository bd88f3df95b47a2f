"""The lists of packages agree: pyproject.toml, environment.yml, constraints.txt, and what src/ imports."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
ROOMS = (
    *("errors", "storage", "validation", "lock", "logfile", "description", "layout", "pair_folders", "stages"),
    *("settings", "presets", "pair_settings", "benchmark_settings", "toolbox", "toolbox_fit", "overrides", "config"),
    *(
        "config_schema",
        "scaffold",
        "images",
        "dataset",
        "provenance",
        "demo",
        "evaluate",
        "diffusion",
        "pixels",
        "pairs",
    ),
    *("baselines", "suggest", "check", "report", "benchmark", "export", "labels_import", "viewer", "cli"),
)
"""Rooms of the package in the order of CONTRIBUTING.md, each of which imports from those before it alone."""


def constraints() -> dict[str, Requirement]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in pins}


@pytest.mark.parametrize("group", ["dependencies", *EXTRAS])
def test_constraints_pin_every_requirement_within_its_bounds(group):
    pins = constraints()
    for text in PROJECT["dependencies"] if group == "dependencies" else EXTRAS[group]:
        wanted = Requirement(text)
        (pin,) = pins[canonicalize_name(wanted.name)].specifier
        assert pin.operator == "=="
        assert wanted.specifier.contains(pin.version), text


def test_constraints_name_no_local_builds_and_no_places():
    text = (ROOT / "constraints.txt").read_text()
    assert not re.search(r"^[^#]*(\+|@|/)", text, re.MULTILINE)


def test_environment_yml_agrees_with_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert conda == [f"python{PROJECT['requires-python']}", "pip"]
    constraint, install = pip["pip"]
    # installing the project itself brings exactly pyproject's dependencies, at the versions `make install` takes
    assert constraint == "-c constraints.txt"
    extras = re.fullmatch(r"-e \.\[(.*)\]", install)[1].split(",")
    assert set(extras) <= set(EXTRAS)
    assert "demo" in extras, "`snakemake` alone runs the demo"


def test_every_import_in_src_is_a_requirement():
    wanted = {Requirement(text).name for group in (PROJECT["dependencies"], *EXTRAS.values()) for text in group}
    names = {canonicalize_name(name) for name in wanted - set(EXTRAS["dev"])}
    distributions = packages_distributions()
    missing = {}
    elsewhere = {"cellpose_worker.py"}  # runs in an environment of its own
    for path in (each for each in (ROOT / "src").rglob("*.py") if each.name not in elsewhere):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for module in {name.partition(".")[0] for name in modules} - sys.stdlib_module_names - {"fewstain"}:
                owners = {canonicalize_name(name) for name in distributions.get(module, [module])}
                if not owners & names:
                    missing.setdefault(module, path.name)
    assert missing == {}


def test_imports_go_downward_only():
    package = ROOT / "src" / "fewstain"
    rooms = {each.stem for each in package.iterdir() if each.suffix == ".py" or (each / "__init__.py").is_file()}
    assert rooms - {"__init__"} == set(ROOMS)
    upward = []
    for path in package.rglob("*.py"):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            other = module.removeprefix("fewstain.").partition(".")[0]
            if room != "__init__" and module.startswith("fewstain.") and ROOMS.index(other) > ROOMS.index(room):
                upward.append(f"{path.relative_to(package)}: {module}")
    assert upward == []


def test_import_is_quick_and_needs_no_torchvision():
    code = (
        "import sys, fewstain; assert 'torch' not in sys.modules;"
        "sys.modules['torchvision'] = None;"
        "from diffusers import UNet2DConditionModel; from monai.networks.nets import UNet"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    assert "torchvision" not in constraints()
