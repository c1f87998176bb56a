# Every target works from a fresh clone on Debian 12; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-clean test clean

PYTHON := .venv/bin/python

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what is missing: Debian packages, .venv, an engine
	@bash tests/support/setup.sh

demo: setup ## the whole story on this machine, with times: build, carry, install, upgrade, rollback
	@$(PYTHON) bundles/demo/demo.py

demo-clean: ## remove everything that `make demo` made
	@if [ -x $(PYTHON) ]; then $(PYTHON) bundles/demo/clean.py; else echo "nothing to remove: no .venv"; fi

test: setup ## lint, types and every test; writes dist/test/summary.json
	@$(PYTHON) tests/support/run.py

clean: demo-clean ## remove .venv, dist and caches too
	rm -rf .venv dist .nox .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
