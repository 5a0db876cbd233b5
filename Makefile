# Everything starts from here; `make help` lists it. Settings: TORCH_REQUIREMENT, TORCH_INDEX_URL,
# PYTHON and VENV, described in scripts/setup.sh.
.DEFAULT_GOAL := help
.NOTPARALLEL:
SHELL := /bin/bash

PY := .venv/bin/python
PYTEST := $(PY) -m pytest

# A user's token, caches, endpoint and proxies must not change what tests and demo see.
PLAIN_ENV := env -u HF_TOKEN -u HUGGING_FACE_HUB_TOKEN -u HF_TOKEN_PATH -u HF_HOME -u HF_HUB_CACHE \
	-u HF_ENDPOINT -u HF_HUB_OFFLINE -u HTTP_PROXY -u HTTPS_PROXY -u ALL_PROXY -u NO_PROXY \
	-u http_proxy -u https_proxy -u all_proxy -u no_proxy

# Each run keeps its own coverage data; `make coverage` joins them.
MEASURED = --cov --cov-report=

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## make .venv (done by every other target as needed)
	@scripts/setup.sh test

.PHONY: demo
demo: setup ## run the main job on real weights and serve it until Ctrl-C; ONCE=1 stops by itself
	@$(PLAIN_ENV) $(PY) demo/run.py $(if $(ONCE),--once)

.PHONY: test
test: lint unit slow integration oldest-hub runtime real coverage ## everything: linters, types, all tests, the demo once
	@$(MAKE) --no-print-directory demo ONCE=1

.PHONY: lint
lint: setup ## linters and type checks
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/hadolint Dockerfile
	.venv/bin/shellcheck scripts/*.sh .ci/run
	.venv/bin/pre-commit validate-config

.PHONY: unit
unit: setup ## fast tests
	COVERAGE_FILE=.coverage.unit $(PLAIN_ENV) $(PYTEST) -n 2 -m "not slow" $(MEASURED) tests/unit

.PHONY: slow
slow: setup ## tests of whole limits, statistics and processes
	COVERAGE_FILE=.coverage.slow $(PLAIN_ENV) $(PYTEST) -n 2 -m slow $(MEASURED) tests/unit

.PHONY: integration
integration: setup ## tests with the Hub stand-in
	COVERAGE_FILE=.coverage.integration $(PLAIN_ENV) $(PYTEST) -n 2 $(MEASURED) tests/integration

.PHONY: oldest-hub
oldest-hub: setup ## checkpoint and stand-in tests with the oldest supported huggingface_hub
	@scripts/oldest-hub-env.sh
	COVERAGE_FILE=.coverage.oldest $(PLAIN_ENV) .venv-oldest-hub/bin/python -m pytest -n 2 $(MEASURED) \
		tests/unit/test_h*.py tests/integration

.PHONY: runtime
runtime: ## what the container installs, made once and used
	@VENV=.venv-runtime scripts/setup.sh runtime
	.venv-runtime/bin/kinprint compare --json tests/unit/golden.safetensors \
		tests/unit/golden.safetensors >/dev/null

.PHONY: real
real: setup ## tests on real trained weights
	COVERAGE_FILE=.coverage.real $(PLAIN_ENV) $(PYTEST) $(MEASURED) tests/real

.PHONY: coverage
coverage: setup ## join and report the coverage of the runs so far
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage report --skip-covered --show-missing

.PHONY: benchmarks
benchmarks: setup ## measure speed and bytes read beside their baselines
	@$(PLAIN_ENV) $(PY) benchmarks/run.py

.PHONY: lock
lock: ## raise the pinned dependencies; PACKAGE=name raises one
	@PACKAGE=$(PACKAGE) scripts/lock.sh

.PHONY: clean
clean: ## remove what tools and tests leave behind; .venv stays
	rm -rf .venv-oldest-hub .venv-lock .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.coverage* build dist *.egg-info
