# make install   an environment in .venv with fewstain in it
# make run       the whole workflow on the datasets of config.yaml (by default data/demo)
# make test      the tests
# make lint      what .ci/run checks beside the tests;  make format  mends what can be mended
# make docs-figures   the pictures of docs/diffusion.md, by a denoiser trained for them (minutes)
# make napari-figures   the pictures of docs/napari.md, of the results of `make run`
# make clean     removes the environment and caches, never data or results

PYTHON ?= python3
CORES ?= all
VENV := .venv
BIN := $(VENV)/bin
EXTRAS := demo,import,napari,dev

# the environment first on the path: snakemake's shell commands find `fewstain` there
export PATH := $(abspath $(BIN)):$(PATH)
# and nothing from elsewhere may get into it
unexport PYTHONPATH
export PYTHONNOUSERSITE := 1

.PHONY: install run test lint format docs-figures napari-figures clean

install: $(VENV)/installed

# written last, so a broken installation is begun again
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("fewstain needs Python 3.11 or later; try: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'Installing into $(VENV): a minute or two ...'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

run: install
	$(BIN)/snakemake --cores $(CORES)

test: install
	$(BIN)/pytest

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

# velocity rather than noise: a network trained so shortly then finds the right brightness
docs-figures: install
	$(BIN)/fewstain demo-data data/demo
	$(BIN)/fewstain train-diffusion data/demo --out results/docs/diffusion --state results/docs/state \
		--preset demo --set diffusion.prediction=v_prediction --set diffusion.steps=700
	$(BIN)/python benchmarks/diffusion_figures.py results/docs/diffusion data/demo/images/img2d-left.tif

napari-figures: install
	$(BIN)/python benchmarks/viewer_figures.py results/demo

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist src/*.egg-info
	find src tests workflow -type d -name __pycache__ -prune -exec rm -rf {} +
