# Every verb sets up what it needs. `make` alone lists the verbs.
PYTHON  ?= $(shell for p in python3 python3.13 python3.12 python3.11; do $$p -c 'import sys; sys.exit(not (3,11) <= sys.version_info[:2] <= (3,13))' 2>/dev/null && { command -v $$p; break; }; done)
PROFILE ?= standard
BASELINE ?= results/baseline
FAULTS  ?= 100
ARGS    ?=

VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
TOOLS := build/tools
# Every build of torch is a file of its own, and which one is wanted differs: see docs/decisions/0058-pins-with-hashes.md
WITHOUT_TORCH := awk '/^[a-z]/ {left = /^torch==/} !left'
COMPILE := $(TOOLS)/bin/uv pip compile --quiet --generate-hashes --no-header --no-annotate --python-version 3.11.9

.DEFAULT_GOAL := help
.PHONY: help setup bench test test-slow check lint types architecture format report gate gate-eval baseline docs docs-site page-eval mutants soak fuzz hashes verify-pins audit release installs clean

help: ## list the verbs
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  Variables: PROFILE=quick|standard|full  BASELINE=folder  ARGS='--loss huber'  PYTHON=python3.12"

$(STAMP): pyproject.toml pins.txt
	@test -n "$(PYTHON)" || { echo "make: expected Python 3.11, 3.12 or 3.13 on the PATH, found none; install one or say PYTHON=/path/to/python3"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
ifdef HASHES
	@mkdir -p build && $(WITHOUT_TORCH) pins-hashes.txt > build/hashed.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r build/hashed.txt
endif
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c pins.txt "torch==$$(sed -n 's/^torch==//p' pins.txt)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c pins.txt -e '.[all,dev]'
	@touch $@

setup: $(STAMP) ## create .venv with all three frameworks at the pinned versions

bench: setup ## run the benchmarks (PROFILE=standard) and write the report
	$(BIN)/lossbench run --profile $(PROFILE) $(ARGS)

test: setup ## run the test suite
	PYTHONHASHSEED=0 $(BIN)/python -m pytest -n 2 -m "not slow" $(ARGS)

test-slow: setup ## the rest of it: every documented command, more kills of real runs (about 3 minutes)
	PYTHONHASHSEED=0 $(BIN)/python -m pytest -n 2 -m slow $(ARGS)

check: lint types architecture docs-site test test-slow ## what CI runs: lint, types, architecture, the site of docs/, tests

lint: setup ## ruff: style and format
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --no-cache --check .

types: setup ## mypy --strict on harness and suites
	$(BIN)/mypy

architecture: setup ## import-linter: who may import whom
	$(BIN)/lint-imports

format: setup ## rewrite the sources in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

report: setup ## write the report of the latest run again
	$(BIN)/lossbench report $(ARGS)

gate: setup ## compare the latest run with the committed baseline
	$(BIN)/lossbench gate --baseline $(BASELINE) $(ARGS)

gate-eval: setup ## measure the timing gate itself: false alarms, power, beside other rules (5 minutes)
	$(BIN)/lossbench calibrate $(ARGS)

baseline: setup ## make the latest run the baseline (commit the result)
	$(BIN)/lossbench baseline --to $(BASELINE) $(ARGS)

mutants: setup ## plant numerical defects into bindings and see how many are noticed (about 10 minutes)
	$(BIN)/python tests/mutation/check.py $(ARGS)

soak: setup ## disturb real runs by FAULTS=100 random faults; nothing may be lost or doubled (about 40 minutes)
	$(BIN)/python tests/soak/soak.py $(FAULTS) $(ARGS)

docs: setup ## write the generated pages of docs/ again
	$(BIN)/python -m lossbench.record.columns > docs/columns.md
	$(BIN)/python tools/licences.py

docs-site: setup ## build docs/ as a site: build/site/index.html (no network; a warning is an error)
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet --builder html --doctree-dir build/doctrees docs build/site

page-eval: setup ## measure how long a report of 100,000 answers takes to open and to sort (ARGS=page.html for another)
	$(BIN)/python tests/browser/measure.py $(ARGS)

fuzz: setup ## random files and frames into every reader (ARGS='--reader journal --inputs 1000000')
	$(BIN)/python tests/fuzz/fuzz.py $(ARGS)

$(TOOLS)/.installed: pins-release.txt
	@test -x $(TOOLS)/bin/python || $(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r pins-release.txt
	@touch $@

hashes: $(TOOLS)/.installed ## write pins-hashes.txt again, after a change of pins.txt (asks the index for every file of every pin)
	$(COMPILE) --no-deps pins.txt --output-file pins-hashes.txt

verify-pins: $(STAMP) ## download every pin but torch for this platform and hold it against its hash (about 1 GB)
	@mkdir -p build && $(WITHOUT_TORCH) pins-hashes.txt > build/hashed.txt
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && $(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --dest "$$folder" -r build/hashed.txt && echo "$$(ls "$$folder" | wc -l) files have the hashes that are pinned"

audit: $(TOOLS)/.installed ## ask for known vulnerabilities of every pin (needs a network; a pin that nobody can be asked about is an error)
	$(TOOLS)/bin/pip-audit --strict --disable-pip --no-deps --requirement pins-hashes.txt $(ARGS)

release: setup $(TOOLS)/.installed ## wheel, sdist, bill of materials and checksums into dist/, byte for byte the same from one commit
	$(BIN)/python tools/release.py --sbom $(TOOLS)/bin/cyclonedx-py

installs: setup ## install the wheel alone on every Python from 3.11 to 3.13 found here, and read a run with it
	$(BIN)/python tools/installs.py $(ARGS)

clean: ## remove .venv, caches and build products; results and reports stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
