# Two commands set everything up: `make demo` and `make test`. Both make their own environment in .venv.

PYTHON  ?= python3
BACKEND ?= numpy
VENV    := .venv
BIN     := $(VENV)/bin
# Without this, TensorFlow greets every import with its build flags.
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: help demo test test-all parity bench count coverage-api docs notebooks lint types clean

help:
	@echo "make demo [BACKEND=numpy|jax|torch|tensorflow]   train a network on real data and look at it"
	@echo "make test     style, and the contract on each backend, while you work (about eight minutes on two cores)"
	@echo "make test-all everything that CI checks (tox: every backend alone, all together, lint, types)"
	@echo "make parity   the matrix of operations and layers by backends, with the worst error of each"
	@echo "make bench    step times beside Keras 3 and hand-written loops"
	@echo "make count    how much there is: methods, overrides, lines, lengths, import chains"
	@echo "make coverage-api   what there is of the installed Keras's names, signatures and members (docs/coverage.md)"
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

# What takes long on the frameworks and repeats what the cases of the contract hold: laws over random draws, recorded values
# and those of Keras, and what starts processes of its own. Here numpy alone runs these; `make test-all` runs most of them on each.
LEFT_TO_CI := $(addprefix --ignore-glob=*/test_,*_properties.py recorded_*.py *_by_keras.py fast.py process_effects.py layer_keywords.py feature_space.py)

# Thousands of small programs are compiled and run once: compiling fast counts, running fast does not.
test: export XLA_FLAGS ?= --xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true --xla_cpu_parallel_codegen_split_count=1
test: export OMP_NUM_THREADS ?= 1
test: export MPLBACKEND ?= agg
test: export POLYKERAS_HOME := $(VENV)/home
test: $(VENV)/extra-all-cpu $(VENV)/extra-test $(VENV)/extra-demo $(VENV)/extra-lint
	$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 -m "not slow and not keras" --backends=numpy tests/pure tests/contract
	$(BIN)/python -m pytest -n 2 -m "not slow and not keras" --backends=jax,tensorflow,torch $(LEFT_TO_CI) tests/contract
	$(BIN)/python -m pytest -n 2 -m "not slow" tests/parity/test_same_seed.py

test-all: $(VENV)/tox
	$(BIN)/tox run

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
