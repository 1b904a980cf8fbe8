# Needs Python 3.11 or newer (with venv and pip) and make; everything else goes into .venv.
#   make demo    install, verify the shipped examples, print a table
#   make test    install, run the whole test suite
#   make check   lint, format and strict types
#   make docs    build the documentation into build/site (open build/site/index.html)
#   make bench   run a folder of benchmarks: make bench FOLDER=path TIMEOUT=60
#   make measure   print what the rules of the house count, beside the goals
#   make gpu-check   on a machine with a GPU: run the kernels' tests on it, time the kernels, write a record
# Another interpreter: make demo PYTHON=python3.12.  torch without CUDA (a smaller download):
#   make demo PIP_FLAGS="--extra-index-url ..." with the index of CPU builds from PyTorch's installation page

MODERN := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python python3.14 python3.13 python3.12 python3.11; do \
	$$p -c '$(MODERN)' 2>/dev/null && { echo $$p; break; }; done)
PIP_FLAGS ?=
WORKERS ?= 2
TIMEOUT ?= 60
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_FLAGS) --constraint constraints.txt

# Waiting threads that spin cost the other processes time.
OMP_WAIT_POLICY ?= PASSIVE
export OMP_WAIT_POLICY

.PHONY: demo test lint format types check docs bench measure gpu-check clean

demo: $(VENV)/.installed
	$(BIN)/python examples/demo.py

test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -q

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: $(VENV)/.installed-dev
	$(BIN)/mypy

check: lint types

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(VENV)/.installed
	@test -n "$(FOLDER)" || { echo "make bench: say which folder: FOLDER=path"; exit 2; }
	$(BIN)/python benchmarks/run.py "$(FOLDER)" --timeout $(TIMEOUT)

measure: $(VENV)/.installed
	$(BIN)/python benchmarks/measure.py

gpu-check: $(VENV)/.installed-dev
	@$(BIN)/python -c "import sys, torch; sys.exit(not torch.cuda.is_available())" || \
		{ echo "make gpu-check: torch sees no GPU here (torch.cuda.is_available() is False)"; exit 2; }
	$(BIN)/python -m pytest -q tests/kernels
	$(BIN)/python benchmarks/kernels.py --device cuda --compile
	$(BIN)/python benchmarks/kernels.py --device cuda --dtype float64 --small

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer found; name one: make PYTHON=/path/to/python3"; exit 2; }
	@"$(PYTHON)" -c '$(MODERN)' || { echo "make: $(PYTHON) is missing, or older than Python 3.11"; exit 2; }
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); echo "make: no venv module (Debian: apt install python3-venv)"; exit 2; }

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing genbab and its libraries into $(VENV) (once)"
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "installing the tools of development into $(VENV) (once)"
	$(PIP) --editable '.[dev]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	@echo "installing the tools of documentation into $(VENV) (once)"
	$(PIP) --editable '.[docs]'
	@touch $@
