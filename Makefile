# Thin: what happens is in config/embedded. Each command makes its own environment in .venv first.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv/bin
# Further words for pytest: make test ARGS="-k ledger -x"
ARGS ?=
# Processes that share the tests of `make test`: most of what a test does is wait. 0: in one, where a debugger works.
WORKERS ?= 4

# What a run compiled is there for the next one.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run stores env migrate test lint schema widgets bench bench-100k bench-1m bench-years bench-api load demo attack chaos lock clean-data runtime development

help: ## lists the commands
	@sed -n 's/^\([a-z0-9-]*\):.*## /make \1 - /p' Makefile

run: runtime ## starts everything on this machine and prints the address of the page; Ctrl-C stops it
	@exec $(VENV)/python -m config.embedded.run --die-with-parent

stores: runtime ## starts only the embedded PostgreSQL and Valkey, prints their addresses, then READY
	@exec $(VENV)/python -m config.embedded --die-with-parent

env: runtime ## lines that lead a shell to what make run has started: eval "$(make env)"
	@exec $(VENV)/python -m config.embedded.env

migrate: runtime ## applies migrations and reference data to DATABASE_OWNER_URL
	@exec $(VENV)/python -m api.migrate

test: lint ## lint, types and all tests but the long fault runs, against real servers
	@$(VENV)/python -m tests.support.node
	@$(PARALLEL) -m "not chaos and not alone" $(ARGS) && others=0 || others=$$?; [ $$others = 0 ] || [ $$others = 5 ] || exit $$others; \
	$(VENV)/python -m pytest -o "testpaths=$$(grep -rlF mark.alone --include='*.py' tests | tr '\n' ' ')" -m "alone and not chaos" $(ARGS) && alone=0 || alone=$$?; [ $$alone = 5 ] && exit $$others || exit $$alone

lint: development ## formatting, lint, types, and who may import whom
	@$(VENV)/python -m ruff check
	@$(VENV)/python -m ruff format --check
	@$(VENV)/python -m mypy --num-workers 2
	@$(VENV)/lint-imports

schema: development ## writes down the API's schema for the gateway, after a change in a schema.graphql
	@$(VENV)/python -m api.sdl

widgets: development ## makes anew what browsers take, after a change in api/web/static or api/web/widgets
	@exec $(VENV)/python -m tests.support.bundles

bench: development ## measures, beside others' servers on the same machine
	@exec $(VENV)/python -m loadtest.bench $(ARGS)

bench-100k: development ## 100,000 clients held on this machine, themselves included
	@exec $(VENV)/python -m loadtest.bench 100k

bench-1m: development ## 1,000,000 of them, half an hour; says how far it gets
	@exec $(VENV)/python -m loadtest.bench 1m

bench-years: development ## a database as years of use leave it, beside an empty one; YEARS_WORKOUTS=200000
	@exec $(VENV)/python -m loadtest.bench years

bench-api: development ## the API beside Apollo Server and Mercurius, over the same rows, some four minutes
	@exec $(VENV)/python -m loadtest.bench api

load: development ## 30 s of Locust people on what make run has started; loopback only
	@exec $(VENV)/locust --locustfile loadtest/locustfile.py --headless --users 50 --spawn-rate 10 --run-time 30s \
		--only-summary --host "http://127.0.0.1:$${API_PORT:-8000}" $(ARGS)

demo: development ## thousands of simulated people in the world's cities, so that the page lives; starts it where nothing runs
	@exec $(VENV)/python -m loadtest.demo $(ARGS)

attack: development ## tries to find a person by the map and by anonymous workouts; fails where they tell too much
	@exec $(VENV)/python -m loadtest.attack $(ARGS)

chaos: development ## the long fault runs, with their counts
	@$(VENV)/python -m pytest -m chaos -rP $(ARGS)

lock: ## pins every package by hash: requirements.lock, -extras.lock, -dev.lock, and tests/npm where npm is
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --target .tools --upgrade uv
	@$(COMPILE) -o requirements.lock
	@$(COMPILE) -c requirements.lock --extra otel --extra sentry -o requirements-extras.lock
	@$(COMPILE) -c requirements-extras.lock --extra otel --extra sentry --group test --group load -o requirements-dev.lock
	@command -v npm >/dev/null || { echo "npm is missing: tests/npm stays as it is" >&2; exit 0; }; \
		npm install --prefix tests/npm --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts \
		--no-audit --no-fund --loglevel=error && node tests/npm/plain.mjs tests/npm/package-lock.json

clean-data: ## forgets what make run stored
	@$(PYTHON) -m config.embedded.folder

runtime development:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11 or newer with pip" >&2; exit 1; }
	@$(PYTHON) -m config.embedded.bootstrap $@

PARALLEL := $(VENV)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

# No address of an index is written, so that the lock files serve every mirror.
COMPILE := .tools/bin/uv pip compile --quiet --system-certs --universal --generate-hashes --no-emit-index-url --no-header pyproject.toml
