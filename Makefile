# Every target does its own set-up from a fresh machine. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
COMPILE := $(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header

.PHONY: help
help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

.PHONY: venv
venv: $(VENV)/.synced ## Make the Python environment from the hashed lock

$(VENV)/.synced: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { apt-get update -q && apt-get install -q -y --no-install-recommends python3-venv; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install -q uv==$(UV_VERSION)
	@$(BIN)/uv pip sync -q --python $(BIN)/python --require-hashes requirements/dev.txt
	@$(BIN)/python -m ensurepip -q 2>/dev/null || true
	@test -x $(BIN)/uv || $(BIN)/python -m pip install -q uv==$(UV_VERSION)
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: demo
demo: venv ## Start the local region and create a first cluster in it
	$(BIN)/vks doctor --install
	$(BIN)/vks up
	$(BIN)/vks demo

.PHONY: test
test: lint ## Every test, from unit to end-to-end on real servers
	$(BIN)/vks doctor --install
	$(BIN)/vks build
	$(BIN)/pytest --durations=30 -n 2 --no-loadscope-reorder \
	  tests/unit tests/property tests/api tests/apiserver tests/e2e tests/hollow tests/cloud tests/local

.PHONY: test-long
test-long: venv ## Take a converted cluster back, and let nodes die in each phase, under probes (25 minutes)
	$(BIN)/pytest -s tests/long

.PHONY: soak
soak: venv ## Re-create nodes with static addresses for about an hour
	VKS_E2E_ROUNDS=120 $(BIN)/pytest -s tests/e2e/test_static_ip.py

.PHONY: lock
lock: ## Pin the Python dependencies again
	$(COMPILE) --upgrade requirements/dev.in -o requirements/dev.txt
	$(COMPILE) requirements/runtime.in -c requirements/dev.txt -o requirements/runtime.txt

.PHONY: lint
lint: venv ## Format check, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: generate
generate: venv ## Write the generated files again (CRDs, clusterctl components, reference pages)
	$(BIN)/python -m vks.resources.crd config/crd
	$(BIN)/python -m vks.provider.components config
	$(BIN)/python -m docs.generate docs/reference

.PHONY: bench-create
bench-create: venv ## Compare creating a cluster with bare kubeadm (15 minutes, alone on the machine)
	$(BIN)/python -m benchmarks.create

.PHONY: bench-idle
bench-idle: venv ## Measure what the controllers use while nobody asks for anything (9 minutes)
	$(BIN)/python -m benchmarks.idle

.PHONY: bench-runtime
bench-runtime: venv ## Compare the controller runtime with kopf and controller-runtime (15 minutes)
	$(BIN)/python -m benchmarks.runtime

.PHONY: bench-upgrade
bench-upgrade: venv ## Count what clients notice of an upgrade and of a repair (10 minutes)
	VKS_PUBLISH=1 $(BIN)/pytest -s tests/e2e/test_lifecycle.py

.PHONY: bench-static-ip
bench-static-ip: venv ## Count what becomes of static addresses when nodes are re-created (4 minutes)
	VKS_PUBLISH=1 $(BIN)/pytest -s tests/e2e/test_static_ip.py

.PHONY: bench-workers
bench-workers: venv ## Measure a real control plane under hundreds of hollow workers (WORKERS=300, 15 minutes)
	$(BIN)/python -m benchmarks.workers --workers $(or $(WORKERS),300)

SCALE ?= small
.PHONY: bench-scale
bench-scale: venv ## Measure many and large clusters on hollow servers (SCALE=small|medium|full)
	$(BIN)/python -m benchmarks.scale --scale $(SCALE)
