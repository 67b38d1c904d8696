# Needs python3 (3.11 or newer), make and pip; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test bench format

help:
	@echo "make demo     set up, then: digits, an autoencoder beside a VAE, and their figures"
	@echo "make test     set up, then everything that a change must pass"
	@echo "make bench    set up with the libraries to compare with, then speed and quality"
	@echo "make format   order imports and lay out the code"

demo: $(VENV)/.core
	$(BIN)/latente demo

test: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.oracles
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.quality
	$(BIN)/python -m benchmarks.scale

format: $(VENV)/.dev
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

# A stamp for each set of packages, older than which nothing that they depend on may be.
$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/pip install -c constraints.txt -e .
	touch $@

$(VENV)/.dev $(VENV)/.bench: $(VENV)/.%: pyproject.toml constraints.txt | $(BIN)/pip
	$(BIN)/pip install -c constraints.txt -e '.[$*]'
	touch $@ $(VENV)/.core

# Where Python came without ensurepip, the pip that is there fills the new environment.
$(BIN)/pip:
	$(PYTHON) -m venv $(VENV) || { \
	  $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install pip; }
