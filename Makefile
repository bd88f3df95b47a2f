# make install   an environment in .venv with fewstain in it
# make run       the whole workflow on the datasets of config.yaml (by default data/demo)
# make test      the tests
# make lint      what .ci/run checks beside the tests;  make format  mends what can be mended
# make docs-figures   the pictures of docs/diffusion.md, by denoisers trained for them (minutes)
# make docs-tables    those measurements of docs/diffusion.md that are of the same denoisers (an hour or so)
# make napari-figures   the pictures of docs/napari.md, of the results of `make run`
# make clean     removes the environment and caches, never data or results

PYTHON ?= python3
CORES ?= all
VENV := .venv
BIN := $(VENV)/bin
EXTRAS := demo,import,export,dev

# the environment first on the path: snakemake's shell commands find `fewstain` there
export PATH := $(abspath $(BIN)):$(PATH)
# and nothing from elsewhere may get into it
unexport PYTHONPATH
export PYTHONNOUSERSITE := 1
# a job without compiled modules begins 20 seconds later: pip leaves them to the first job that wants them
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install run test lint format docs-figures docs-tables napari-figures clean

install: $(VENV)/installed

# written last, so a broken installation is begun again
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("fewstain needs Python 3.11 or later; try: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo 'Installing into $(VENV): a minute or two ...'
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS)]'
	touch $@

# the viewer's tests want napari, and a good part of a GB with it; nothing else does
$(VENV)/installed-viewer: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRAS),napari]'
	touch $@

run: install
	$(BIN)/snakemake --cores $(CORES)

test: $(VENV)/installed-viewer
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses logical --dist loadfile

lint: $(VENV)/installed-viewer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

# small, so that it learns much in few minutes; with blocks of 4 x 4 RGB pixels its 32 channels could not carry the noise
OF_CONDITIONS := --preset demo --set conditions.unshuffle=2 --set conditions.channels=[32,64] \
	--set conditions.batch_size=8 --set conditions.learning_rate=2e-3 --set conditions.steps=800

results/docs/adapter/fewstain.json: | install
	$(BIN)/fewstain demo-data data/demo
	$(BIN)/fewstain train-diffusion data/demo --out results/docs/diffusion --state results/docs/state \
		--preset demo --set diffusion.steps=700
	$(BIN)/fewstain train-vae data/demo --out results/docs/vae --state results/docs/vae-state --preset demo \
		--set vae.steps=100
	$(BIN)/fewstain train-diffusion data/demo --vae results/docs/vae --out results/docs/latent \
		--state results/docs/latent-state --preset demo --set diffusion.steps=700 --set diffusion.crop=64
	$(BIN)/fewstain train-words data/demo data/demo-tissue --out results/docs/words --state results/docs/words-state \
		$(OF_CONDITIONS)
	$(BIN)/fewstain train-few-shot data/demo data/demo-tissue --out results/docs/few-shot \
		--state results/docs/few-shot-state $(OF_CONDITIONS)
	$(BIN)/fewstain train-control results/docs/diffusion data/demo --out results/docs/control \
		--state results/docs/control-state --set control.steps=400 --set control.batch_size=8
	$(BIN)/fewstain train-translation data/demo-tissue --from grey --out results/docs/translation \
		--state results/docs/translation-state --preset demo --set translation.crop=96
	$(BIN)/fewstain adapt results/docs/diffusion data/demo-tissue --channels 1 \
		--out results/docs/adapter --state results/docs/adapter-state

docs-figures: results/docs/adapter/fewstain.json
	$(BIN)/python benchmarks/diffusion_figures.py results/docs/diffusion data/demo/images/img2d-left.tif \
		--adapter results/docs/adapter --other data/demo-tissue/images/histo.tif --latent results/docs/latent \
		--words results/docs/words --few-shot results/docs/few-shot \
		--like data/demo/images/*.tif data/demo-tissue/images/*.tif \
		--control results/docs/control --layout data/demo/test/labels/img2d-right.tif \
		--translation results/docs/translation --colours data/demo-tissue/images/ihc.tif

docs-tables: results/docs/adapter/fewstain.json
	$(BIN)/python benchmarks/toolbox.py results/docs/diffusion data/demo/images data/demo-tissue --channels 1 \
		--n 32 --out results/docs/toolbox
	$(BIN)/python benchmarks/toolbox_table.py results/docs/toolbox/toolbox.json

napari-figures: $(VENV)/installed-viewer
	$(BIN)/python benchmarks/viewer_figures.py results/demo

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist src/*.egg-info
	find src tests workflow -type d -name __pycache__ -prune -exec rm -rf {} +
