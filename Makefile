# Needs Python 3.11 or newer, and make. Windows: the commands below, typed one by one, do the same.
PORT ?= 8000
ARGS ?=
STRICT ?=
VENV := .venv
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check --quiet

# A Python that was upgraded away leaves a .venv that can't run.
$(shell [ ! -d $(VENV) ] || $(VENV)/bin/python -c '' 2>/dev/null || rm -rf $(VENV))

# A stamp is a copy of its lock: a newer lock may come with an older date (rsync, tar), which make would take as done.
$(shell cmp -s requirements.lock $(VENV)/run.stamp || rm -f $(VENV)/run.stamp)
$(shell cmp -s requirements-dev.lock $(VENV)/test.stamp || rm -f $(VENV)/test.stamp)

.PHONY: help setup demo test bench clean
.DEFAULT_GOAL := help

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile

setup: $(VENV)/run.stamp ## Build .venv for running the portal, nothing else

demo: setup ## Run everything on this machine, with made-up people and phones (PORT=8000); Ctrl-C ends it
	@$(VENV)/bin/python manage.py demo --port $(PORT)

test: $(VENV)/test.stamp ## Run every test this machine can run (STRICT=1: a skip is a failure; ARGS=... goes to pytest)
	@$(VENV)/bin/python -m tests.run $(if $(STRICT),--strict) $(ARGS)

bench: $(VENV)/test.stamp ## Measure the portal on PostgreSQL with 100,000 softphones (some 10 minutes; ARGS="--devices 30000" is quicker)
	@$(VENV)/bin/python -m benchmarks.portal $(ARGS)

clean: ## Remove .venv, collected files and the demo's data
	rm -rf $(VENV) staticfiles var/demo

# Candidates are run, not looked up: a version manager's shim can be there and not work.
$(VENV)/bin/python:
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11 python; do \
	  if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "Building $(VENV) with $$($$python --version)"; \
	    exec $$python -m venv --clear $(VENV); \
	  fi; \
	done; \
	echo "The portal needs Python 3.11 or newer with its venv module (on Debian: apt-get install python3-venv)." >&2; exit 1

$(VENV)/run.stamp: requirements.lock | $(VENV)/bin/python
	@echo "Installing requirements.lock"
	@$(PIP) install --require-hashes -r requirements.lock
	@cp requirements.lock $@

$(VENV)/test.stamp: requirements-dev.lock $(VENV)/run.stamp
	@echo "Installing requirements-dev.lock"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@cp requirements-dev.lock $@
