# Needs python3 (3.11 or newer), make and pip; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test test-scale bench docs format web test-web web-fixtures

help:
	@echo "make demo     set up, then: digits, an autoencoder beside a VAE, and their figures"
	@echo "make test     set up, then everything that a change must pass"
	@echo "make test-scale  set up with ONNX, the Hub's client, MLflow, PyOD, Ray and Spark, then the tests of the adapters"
	@echo "make bench    set up with the libraries to compare with, then speed and quality"
	@echo "make docs     set up, then build the documentation in build/docs/html and execute its tutorials"
	@echo "make web      build the explorer's page from web/ (needs Node 20.19 or newer, and npm)"
	@echo "make test-web install what the page's tests need, then types, forward pass against Python, and a real browser"
	@echo "make format   order imports and lay out the code"

demo: $(VENV)/.core
	$(BIN)/latente demo

test: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto --dist worksteal

# Without what make test runs; the packages are heavy.
test-scale: $(VENV)/.scale
	command -v java >/dev/null || { as_root=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$as_root apt-get update -q && $$as_root apt-get install -y -q default-jre-headless; }
	LATENTE_KILLS=10 $(BIN)/pytest tests/integrations tests/shards tests/training/test_workers.py

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.oracles
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.quality
	$(BIN)/python -m benchmarks.scale

# From nothing each time, so that every tutorial is executed; any warning fails.
docs: $(VENV)/.docs
	rm -rf build/docs
	$(BIN)/sphinx-build --fail-on-warning --keep-going --jobs auto -d build/docs/doctrees docs build/docs/html

WEB_STAMP := web/node_modules/.installed
PAGE := src/latente/explorer/static/explorer.html

web: $(WEB_STAMP)
	cd web && npm run --silent build

# Example packs for working on the page: web/fixtures/*.html and *.pack, from data that come with scikit-learn.
web-fixtures: $(VENV)/.dev
	$(BIN)/python -m benchmarks.explorer --fixtures web/fixtures

# What is in the package must be what web/ builds, byte for byte.
test-web: $(VENV)/.dev $(WEB_STAMP)
	cd web && npm run --silent typecheck && npm test --silent && npm run --silent build:engine
	LATENTE_WEB=1 $(BIN)/pytest tests/explorer/test_graph.py tests/explorer/test_parity.py
	cd web && npm run --silent build -- --outDir build/page
	cmp web/build/page/explorer.html $(PAGE) || { echo "the committed page is not what web/ builds: run make web"; exit 1; }
	command -v chromium >/dev/null || { \
	  as_root=$$([ "$$(id -u)" = 0 ] || echo sudo); $$as_root apt-get update -q && $$as_root apt-get install -y -q chromium; }
	$(MAKE) web-fixtures
	cd web && npm run --silent e2e

$(WEB_STAMP): web/package.json web/package-lock.json
	cd web && npm ci
	touch $@

format: $(VENV)/.dev
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

# A stamp for each set of packages, older than which nothing that they depend on may be.
$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/pip install -c constraints.txt -e .
	touch $@

$(VENV)/.dev $(VENV)/.bench $(VENV)/.docs $(VENV)/.scale: $(VENV)/.%: pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/pip install -c constraints.txt -e '.[$*]'
	touch $@ $(VENV)/.core

# Where Python came without ensurepip, the pip that is there fills the new environment.
$(BIN)/pip:
	$(PYTHON) -m venv $(VENV) || { \
	  $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install pip; }
