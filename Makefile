# Sets up .venv once from envs/, then calls snakemake or pytest, which can also be called by hand.

PYTHON ?= python3
CORES ?= $(shell nproc)
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: screen test verify setup cluster clean requirements

screen: setup
	$(BIN)/snakemake --cores $(CORES)

test: setup
	$(BIN)/pytest -m "not slow" -n $(CORES) --maxprocesses 8 --dist loadfile $(ARGS)

# The published tables again, from the trajectories and DFT results beside them.
verify: setup
	$(BIN)/electroscreen verify --threads $(CORES)

setup: $(VENV)/ready

# What profiles/slurm needs. Not part of setup, because Snakemake loads it at every start, which then takes twice as long.
cluster: setup
	$(BIN)/pip install --quiet --require-hashes --no-deps -r envs/cluster.txt

$(VENV)/ready: envs/requirements.txt envs/build.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "electroscreen needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv module is missing; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r envs/build.txt
	$(BIN)/pip install --quiet --require-hashes --no-build-isolation -r envs/requirements.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

# For maintainers: pin the newest versions that pyproject.toml allows, with hashes and without host names.
requirements:
	printf 'setuptools>=77\nwheel\n' | uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -o envs/build.txt -
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --extra test -o envs/requirements.txt pyproject.toml
	printf 'snakemake-executor-plugin-slurm>=2.8\nsnakemake-executor-plugin-slurm-jobstep\n' | uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-deps -c envs/requirements.txt -o envs/cluster.txt -

clean:
	rm -rf results/quick results/paper .snakemake
