# `make help` lists the targets. ARGS passes overrides: make train ARGS="optimizer=sgd lr=0.1"
PYTHON ?= python3
PORT ?= 5000
ARGS ?=
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help train repro test test-slow bench bench-stats bench-search pictures browser lint type format ui sync prune lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): requirements.lock
	@echo "setting up .venv from requirements.lock"
	@if command -v uv >/dev/null 2>&1; then \
		uv venv --quiet --allow-existing --python "$(PYTHON)" .venv && uv pip sync --quiet --compile-bytecode --python $(BIN)/python requirements.lock; \
	else \
		"$(PYTHON)" -m venv .venv && $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; \
	fi
	@touch $@

train: $(READY) ## make the environment if need be, then train the default on digits
	@$(BIN)/python src/train.py $(ARGS)

repro: $(READY) ## run the pipeline of dvc.yaml, what of it has to be run
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/dvc repro $(ARGS)

test: $(READY) ## the default suite: a few minutes, a process for each of two cores
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-slow: $(READY) ## storms, many subprocesses, real servers
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m slow $(ARGS)

bench: $(READY) ## speed as ratios, measured side by side
	@$(BIN)/python benchmarks/run.py $(ARGS)

bench-search: $(READY) ## how much better than random search the others are
	@$(BIN)/python benchmarks/search.py $(ARGS)

bench-stats: $(READY) ## how often comparisons are wrong, and how fast they read
	@$(BIN)/python benchmarks/stats.py $(ARGS)

pictures: $(READY) ## draw the pictures of docs/ anew
	@$(BIN)/python examples/augmentation.py docs/pictures/augmentation.png
	@$(BIN)/python examples/pace.py docs/pictures
	@$(BIN)/python examples/lessons.py

browser: ## Chromium for the tests of pages, from Debian where there is none
	@command -v chromium >/dev/null || { apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium >/dev/null; }

lint: $(READY) ## ruff: style and formatting
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

type: $(READY) ## mypy, strict
	@$(BIN)/mypy

format: $(READY) ## let ruff mend what it can
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

ui: $(READY) ## the MLflow UI on http://127.0.0.1:$(PORT), loopback only
	@test -f mlflow.db || { echo "no runs yet: make train makes the first"; exit 2; }
	@MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false \
		$(BIN)/mlflow ui --workers 1 --host 127.0.0.1 --port $(PORT) --allowed-hosts "127.0.0.1:$(PORT),localhost:$(PORT)" \
		--backend-store-uri "sqlite:///mlflow.db"

sync: $(READY) ## ship to the tracking store what runs could not
	@$(BIN)/python src/sync.py

prune: $(READY) ## show what nothing points to any more, and remove it if you say so
	@$(BIN)/python src/prune.py yes=ask $(ARGS)

lock: $(READY) ## pin every dependency anew, with hashes (needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --all-extras \
		pyproject.toml -o requirements.lock

clean: ## remove caches; runs, data and the tracking store stay
	@rm -rf .pytest_cache .mypy_cache .ruff_cache dist build && find src tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
