# Every target does what it needs by itself; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help install demo test test-all lint bench schemas lock clean

BIN := .venv/bin
VLM ?=
ARGS ?=
# Most tests wait for something most of the time; the tests of a file stay together.
JOBS ?= 3
PYTEST := $(BIN)/pytest -n $(JOBS) --dist loadfile
# What `make bench` measures on.
FILM ?=
# A model server needs nothing installed here; a folder or model id needs torch and transformers.
EXTRA := $(if $(VLM),$(if $(filter http://% https://%,$(VLM)),core,vlm),core)

help:
	@echo "make demo [VLM=folder, model id or server address] [ARGS='--seconds 75']"
	@echo "make bench [FILM=film.mp4]"
	@echo "make install | test | test-all | lint | schemas | lock | clean"

install:
	@scripts/install.sh core

demo:
	@scripts/install.sh $(EXTRA)
	@$(BIN)/vigil demo $(if $(VLM),--vlm '$(VLM)') $(ARGS)

test: lint
	@$(PYTEST) -m "not slow" $(ARGS)

test-all: lint
	@$(PYTEST) $(ARGS)

lint:
	@scripts/install.sh test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: install
	@$(BIN)/vigil bench stages $(FILM) $(ARGS)

# Write the published JSON Schemas and the list of keys from the models; a test compares them.
schemas: install
	@$(BIN)/python scripts/schemas.py

# Pin every dependency by version and hash, without addresses.
lock:
	@for set in "test --extra all --extra dev" "vlm --extra vlm" "core"; do set -- $$set; name=$$1; shift; \
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	$$([ $$name = test ] || echo "-c requirements/test.txt") \
	pyproject.toml requirements/build.in $$@ -o requirements/$$name.txt || exit 1; done

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
