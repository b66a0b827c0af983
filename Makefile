# make demo    the whole main job on generated patches, then serves on 127.0.0.1:8000 (SERVE=0: stops before serving)
# make test    installs what is missing and runs the tests
# make bench   all benchmarks; bench-NAME runs one (BENCH_ARGS='--help' lists its options)

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
SERVE ?= 1
PORT ?= 8000

.PHONY: help check install install-dev demo serve test trust trust-quick fuzz test-fast test-services test-r lint bench docs messages requirements clean

help:
	@sed -n '1,3p' Makefile | cut -c3-
	@echo 'Further targets: docs/development.md'

check:
	@scripts/check.sh "$(PYTHON)"

$(VENV)/installed: requirements.txt
	@scripts/check.sh "$(PYTHON)"
	@echo 'Installing the pinned requirements: about 5.4 GB, 2 to 5 minutes.' >&2
	@test -x $(PY) || "$(PYTHON)" -m venv $(VENV) >&2
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt >&2
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt >&2
	@touch $@

install: $(VENV)/installed

install-dev: $(VENV)/installed-dev

demo: install
	@$(PY) manage.py migrate --verbosity 0 >&2
	@$(PY) manage.py demo --port $(PORT) $(if $(filter 0,$(SERVE)),--json,)
	@if [ "$(SERVE)" != 0 ]; then exec $(MAKE) --no-print-directory serve; fi

serve: install
	@$(PY) manage.py migrate --verbosity 0 >&2
	@nice -n 5 $(PY) manage.py run_worker --with-parent & \
	exec $(VENV)/bin/gunicorn --config deploy/gunicorn.py --bind 127.0.0.1:$(PORT) --access-logfile /dev/null

lint: install-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/djade --check --target-version 5.2 $$(git ls-files 'templates/*.html')
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/vulture
	$(PY) manage.py makemigrations --check --dry-run

# Damaged and odd images, archives, tables, arrays and checkpoints, FUZZ times as many as in `make test`: 20 to 40 minutes, 6 GB of memory.
FUZZ ?= 190
fuzz: install-dev
	FUZZ=$(FUZZ) $(PY) -m pytest -m fuzz $(PYTEST_ARGS)

# Servers that are killed, crowded, stopped or out of disk are tried by `make trust` alone, in small by `make trust-quick`.
test: install-dev lint
	@scripts/install-chromium.sh >&2
	$(PY) -m pytest -n 2 --dist loadfile -m 'not (trust and slow)' $(PYTEST_ARGS)

# What must be survived, as often as docs/trust.md says: under half an hour on two quiet cores. The quick one tries each a few times.
trust: install-dev
	@scripts/services.sh run true
	@$(PY) scripts/trust.py $(TRUST_ARGS)

trust-quick: TRUST_ARGS = --quick --only kills crowd disk database clock tabs logs
trust-quick: trust

test-fast: install-dev
	$(PY) -m pytest -m 'not slow' --ignore tests/browser $(PYTEST_ARGS)

test-services: install-dev
	@OMP_NUM_THREADS=1 scripts/services.sh run $(PY) -m pytest -p tests.on_services -n 2 --dist worksteal tests/study tests/jobs tests/core/test_user_names.py \
	  --deselect tests/study/blinding/test_audit.py::test_a_planted_leak_is_found $(PYTEST_ARGS)

test-r: install-dev
	@scripts/install-r.sh $(if $(R_PACKAGES),packages) >&2
	$(PY) -m pytest tests/study/results/test_in_r.py $(PYTEST_ARGS)

bench-attacks bench-battery: bench-%: install-dev
	@scripts/bench-peers.sh $(PY) >&2
	@.venv-bench/bin/python benchmarks/$*.py $(BENCH_ARGS)

bench: $(filter-out bench-gpu,$(patsubst benchmarks/%.py,bench-%,$(wildcard benchmarks/*.py)))

# All figures of a GPU in at most ten minutes, into benchmarks/results/. Needs a GPU, PyTorch, torchvision and NumPy.
bench-gpu:
	@$(if $(wildcard $(PY)),$(PY),$(PYTHON)) benchmarks/gpu.py $(BENCH_ARGS)

bench-%: install-dev
	@$(PY) benchmarks/$*.py $(BENCH_ARGS)

docs: install
	$(PY) scripts/reference.py

# Readers' texts: collects them for the translators and compiles the translations.
messages: install-dev
	$(PY) scripts/messages.py

requirements: install-dev
	$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate requirements.in -o requirements.txt
	$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate requirements-formats.in -o requirements-formats.txt
	$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate requirements-sight.in -o requirements-sight.txt
	$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate requirements-dev.in -o requirements-dev.txt
	$(VENV)/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-deps requirements-bench.in -o requirements-bench.txt

clean:
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
