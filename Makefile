# make quickstart   the quickstart's grid and its report
# make test         the whole test suite
# make lint         style
# make shell        a shell in which `python` is that of .venv
PYTHON ?= python3
WORKDIR ?= runs/quickstart
SCALE ?= full
VENV = .venv
RUN = $(VENV)/bin/python

.PHONY: quickstart test lint shell
quickstart: $(VENV)/installed
	$(RUN) -m launch.sweep --experiment=experiments/quickstart.py --workdir=$(WORKDIR) --jobs=2 --scale=$(SCALE)
	$(RUN) -m nfnets_am.report --experiment=experiments/quickstart.py --workdir=$(WORKDIR) --scale=$(SCALE)

test: $(VENV)/installed
	$(RUN) -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

lint: $(VENV)/installed
	$(RUN) -m ruff check .

shell: $(VENV)/installed
	@echo 'python is that of $(VENV) until you leave this shell (exit)'
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) PATH="$(CURDIR)/$(VENV)/bin:$$PATH" $${SHELL:-/bin/sh} || true

# Made again when a pin changes; else `make` finds it newer and does nothing.
$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "error: Python 3.11 or newer is needed, %s found; make PYTHON=python3.11" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install -q --disable-pip-version-check -r requirements.txt
	touch $@
