# Two commands set everything up: `make demo` and `make test`. Both make their own environment in .venv.

PYTHON  ?= python3
BACKEND ?= numpy
VENV    := .venv
BIN     := $(VENV)/bin
# Without this, TensorFlow greets every import with its build flags.
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: help demo test test-ci test-everything test-times parity bench count coverage-api docs notebooks lint types clean

help:
	@echo "make demo [BACKEND=numpy|jax|torch|tensorflow]   train a network on real data and look at it"
	@echo "make test     style, slices of most folders on numpy, and of the contract on each framework, while you work (about five minutes on two cores)"
	@echo "make test-ci  what CI checks: the core, and a slice of all large tables, another one after each commit"
	@echo "make test-everything   all of that, whole (tox: every backend alone, all together, lint, types)"
	@echo "make test-times   where the time of the last test-ci or test-everything went, and its slowest tests"
	@echo "make parity   the matrix of operations and layers by backends, with the worst error of each"
	@echo "make bench    step times beside Keras 3 and hand-written loops"
	@echo "make count    how much there is: methods, overrides, lines, lengths, import chains"
	@echo "make coverage-api   what there is of the installed Keras's names, signatures and members (docs/generated/coverage.md)"
	@echo "make docs     the documentation site, in outputs/site"
	@echo "make notebooks   examples/notebooks as files for Jupyter, in outputs/notebooks"
	@echo "make lint     style and import rules"
	@echo "make types    pyright over the library, the backends, the examples and the benchmarks"
	@echo "make clean    remove environments and outputs"

$(BIN)/python:
	@$(PYTHON) -c "import sys; assert sys.version_info >= (3, 11); import ensurepip, venv" 2>/dev/null || { echo \
	"Expected Python 3.11 or newer with the modules venv and ensurepip (on Debian: apt install python3-venv);" \
	"$(PYTHON) is $$($(PYTHON) --version 2>&1). Name another one, as in: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
	exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

# One marker a set of extras: pip runs when pyproject.toml changed, not each time.
$(VENV)/extra-%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[$*]"
	@touch $@

# TensorFlow's wheel for the CPU: the other one is larger, and uses a GPU only with CUDA's libraries installed beside it.
demo: $(VENV)/extra-demo $(if $(filter numpy,$(BACKEND)),,$(VENV)/extra-$(BACKEND:tensorflow=tensorflow-cpu))
	$(BIN)/python examples/demo.py --backend $(BACKEND)

# Thousands of small programs are compiled and run once: compiling fast counts, running fast does not.
test: export XLA_FLAGS ?= --xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true --xla_cpu_parallel_codegen_split_count=1
test: export OMP_NUM_THREADS ?= 1
test: export MPLBACKEND ?= agg
test: export POLYKERAS_HOME := $(VENV)/home
test: export POLYKERAS_SLICE ?= commit
test: $(VENV)/extra-all-cpu $(VENV)/extra-test $(VENV)/extra-demo $(VENV)/extra-lint
	$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 -m "not slow and not keras" --backends=numpy tests/pure tests/contract tests/training tests/saving tests/single tests/examples tests/distribution
	$(BIN)/python -m pytest -n 2 -m "not slow and not keras" --backends=jax,tensorflow,torch tests/contract --ignore-glob="*/test_recorded_*"
	$(BIN)/python -m pytest -n 2 -m "not slow" tests/parity/test_same_seed.py

# A slice of each large table (tests/helpers/slices.py). When an hour has passed, no further slice begins.
test-ci: export POLYKERAS_SLICE ?= commit
test-ci: export POLYKERAS_DEADLINE ?= $(shell expr $$(date +%s) + 3600)
test-everything: override export POLYKERAS_SLICE :=
test-everything: override export POLYKERAS_DEADLINE :=
test-ci test-everything: export POLYKERAS_TIMES := $(CURDIR)/outputs/times
test-ci test-everything: $(VENV)/tox
	rm -rf $(POLYKERAS_TIMES)
	mkdir -p $(POLYKERAS_TIMES)
	$(BIN)/tox run --result-json $(POLYKERAS_TIMES)/tox.json
	$(if $(POLYKERAS_SLICE),$(PYTHON) tests/times.py --shares)

test-times:
	$(PYTHON) tests/times.py

$(VENV)/tox: | $(BIN)/python
	$(BIN)/python -m pip install --quiet "tox>=4.20"
	@touch $@

parity: $(VENV)/extra-all-cpu $(VENV)/extra-test $(VENV)/extra-demo
	$(BIN)/python tests/parity_matrix.py --html outputs/parity.html

bench: $(VENV)/extra-bench
	$(BIN)/python -m benchmarks

count: $(VENV)/extra-lint
	$(BIN)/python tests/count.py

coverage-api: $(VENV)/extra-all-cpu $(VENV)/extra-keras
	$(BIN)/python tests/coverage_api.py

docs: $(VENV)/extra-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

notebooks: $(patsubst examples/notebooks/%.py,outputs/notebooks/%.ipynb,$(wildcard examples/notebooks/*.py))

outputs/notebooks/%.ipynb: examples/notebooks/%.py $(VENV)/extra-notebooks
	@mkdir -p $(@D)
	$(BIN)/jupytext --quiet --to ipynb --update-metadata '{"kernelspec": {"name": "python3", "language": "python", "display_name": "Python 3"}}' --output $@ $<

lint: $(VENV)/tox
	$(BIN)/tox run -e lint

types: $(VENV)/extra-all-cpu $(VENV)/extra-demo $(VENV)/extra-tensorboard $(VENV)/extra-types
	$(BIN)/pyright --pythonpath $(BIN)/python

clean:
	rm -rf $(VENV) .tox outputs build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
