# Two commands need nothing but git, make and Python >= 3.11 with venv: `make demo` and `make test`.
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
# Whole files side by side, the long ones first: tests/support/workers.py.
TEST_WORKERS ?= 2
# Some machines forbid byte-code files; without them every process compiles everything again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test soak lint bench lock clean

help:
	@echo "make demo    simulated district, Airflow, dashboard on http://127.0.0.1:8501 (Ctrl-C ends it all)"
	@echo "make test    the whole test suite, real browser included"
	@echo "make soak    the simulated district under load, with kills and a full disk (two minutes)"
	@echo "make lint    format, lint and type checks"
	@echo "make bench   every speed figure beside its goal"
	@echo "make lock    renew requirements.lock from pyproject.toml"
	@echo "make clean   forget all state (var/), keep the environment"

.venv/ready: requirements.lock pyproject.toml
	@echo "Making .venv from requirements.lock ..."
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

demo: .venv/ready
	$(BIN)/python scripts/demo.py

test: .venv/ready
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder

soak: .venv/ready
	$(BIN)/python -m pytest -m soak tests/e2e/test_soak.py

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv/ready
	$(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[bench]'
	$(BIN)/python -m benchmarks

lock:
	$(BIN)/uv pip compile --quiet --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header --extra dev pyproject.toml -o requirements.lock

clean:
	rm -rf var
