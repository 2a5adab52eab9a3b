# Everything a user or contributor runs. Each target makes .venv and installs what is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.setup
APT_CHROMIUM = command -v chromium || command -v chromium-browser || command -v google-chrome

.PHONY: run test fast slow check bench evidence requirements plain-adapter grounded-adapter sample-adapter setup chromium \
	postgresql clean

run: setup ## the app, on http://127.0.0.1:7860
	$(BIN)/python app.py

test: check fast slow ## everything that must hold before a change lands

fast: setup postgresql ## the tests that take seconds, on two cores
	$(BIN)/pytest -q -n 2 -m "not slow and not browser"

slow: setup chromium ## the tests with the real model and the real browser; those of one file share an app
	$(BIN)/pytest -q -n 2 --dist loadfile --durations 15 -m "slow or browser"

check: setup ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup ## measurements; see tests/bench
	$(BIN)/python -m tests.bench decode
	$(BIN)/python -m tests.bench users
	$(BIN)/python -m tests.bench turns
	$(BIN)/python -m tests.bench attach
	$(BIN)/python -m tests.bench memory
	$(BIN)/python -m tests.bench int8
	$(BIN)/python -m tests.bench page
	$(BIN)/python -m tests.bench train --rounds 3

evidence: setup ## docs/evidence.md: the four variants on the samples and, where it is there, on SQuAD (under an hour)
	$(BIN)/python -m tests.evidence

requirements: setup ## requirements.txt for a Space, from pyproject.toml
	$(BIN)/python -m tests.requirements > requirements.txt

MAKING := data/local/making
TRAIN = FOURFOLD_HOME=$(MAKING) $(BIN)/python -m tuning train data/samples/rows.jsonl
TRACKED := data/samples/adapter/samples

$(MAKING): setup
	rm -rf $(MAKING) && mkdir -p $(MAKING) data/local/base data/local/adapters && ln -s ../base $(MAKING)/base

plain-adapter: $(MAKING) ## data/local/adapters/plain: the sample rows as they are
	$(TRAIN) --name plain --rank 8 --alpha 16
	rm -rf data/local/adapters/plain && mv $(MAKING)/adapters/plain data/local/adapters && rm -rf $(MAKING)

grounded-adapter: $(MAKING) ## data/local/adapters/grounded: the sample rows as they are and with passages, the right one among others
	FOURFOLD_HOME=$(MAKING) $(BIN)/python -m rag add data/samples/documents --index samples
	FOURFOLD_HOME=$(MAKING) $(BIN)/python -m rag attach data/samples/rows.jsonl $(MAKING)/with-passages.jsonl \
		--index samples --distractors 2 --golden 0.8
	$(TRAIN) $(MAKING)/with-passages.jsonl --name grounded --rank 8 --alpha 16 --learning-rate 1e-3 --epochs 2 --max-length 1536
	rm -rf data/local/adapters/grounded && mv $(MAKING)/adapters/grounded data/local/adapters && rm -rf $(MAKING)

sample-adapter: grounded-adapter ## the tracked adapter, trained anew
	rm -rf $(TRACKED) && mkdir -p $(dir $(TRACKED)) && mv data/local/adapters/grounded $(TRACKED)
	sed -i 's/"name": "grounded"/"name": "$(notdir $(TRACKED))"/' $(TRACKED)/fourfold.json $(TRACKED)/assessment.json

setup: $(SETUP)

$(SETUP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Fourfold needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || \
		{ echo "Python has no venv module; on Debian: apt install python3-venv" >&2; exit 2; }
	@echo "Installing what Fourfold needs into $(VENV) (a few minutes the first time)"
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

# Debian's Chromium where it is absent and the user may install it; else the browser tests skip and say why.
chromium:
	@$(APT_CHROMIUM) >/dev/null || \
		{ command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && \
		  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium; } \
		>/dev/null 2>&1 || echo "No Chromium, and it could not be installed: the browser tests will be skipped."

# Debian's PostgreSQL server likewise, for the tests of the vote log on it.
postgresql:
	@ls /usr/lib/postgresql/*/bin/pg_ctl >/dev/null 2>&1 || command -v pg_ctl >/dev/null || \
		{ command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && \
		  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends postgresql; } \
		>/dev/null 2>&1 || echo "No PostgreSQL, and it could not be installed: its tests will be skipped."

clean: ## what the set-up made; the state under data/local stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
