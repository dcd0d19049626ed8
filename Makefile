# Sets up, runs and checks vla_ros without a ROS installation. In a ROS workspace use colcon instead.
#
# Each stage of the environment has a stamp, which is older than setup.py when there is something to
# install; a stage that is up to date costs nothing. The demo installs no test or lint tools.

PYTHON ?= python3
VENV   ?= .venv
ROBOT  ?= piper
POLICY ?= scripted
MODEL  ?=
INTERVENE ?=
PANEL  ?=
RECORD ?=
OUT    ?= out/demo
PYTEST_ARGS ?=

BIN := $(abspath $(VENV))/bin
RUNTIME := ros,ik,vision,sim,demo,panel,bags,datasets,report

# What the chosen policy needs: a learned one needs PyTorch, which the others must not wait for.
NEEDED := $(if $(filter openvla%,$(POLICY)),$(VENV)/.policy,$(VENV)/.runtime)

# INTERVENE=1, or a mode of the gripper override.
HELP := $(if $(INTERVENE),--intervene $(filter-out 1,$(INTERVENE))) $(if $(PANEL),--panel) \
        $(if $(RECORD),--record)

# A sourced ROS installation would lay its packages and libraries over those of the environment.
unexport PYTHONPATH PYTHONHOME AMENT_PREFIX_PATH RMW_IMPLEMENTATION
# What is installed is compiled at its first import: told not to keep that, each of many processes
# would compile PyTorch and transformers again.
unexport PYTHONDONTWRITEBYTECODE
ifdef ROS_DISTRO
unexport LD_LIBRARY_PATH ROS_DISTRO
endif

.PHONY: help setup demo test lint format bench clean

help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16
	@echo 'Variables: PYTHON=$(PYTHON) VENV=$(VENV) ROBOT=$(ROBOT) POLICY=$(POLICY) OUT=$(OUT)'
	@echo '           PYTEST_ARGS="-k name" MODEL=folder (of a checkpoint; none: a learned policy'
	@echo '           gets random weights) INTERVENE=1 (an operator closes the gripper once; try'
	@echo '           POLICY=hover) PANEL=1 (serves the operator panel meanwhile) RECORD=1 (leaves'
	@echo '           a bag in OUT)'

setup: $(VENV)/.runtime $(VENV)/.test $(VENV)/.lint ## make the environment for everything below

demo: $(NEEDED) ## let a simulated arm do the task; leaves a video and a report in OUT
	@$(BIN)/vla-ros demo --robot $(ROBOT) --policy $(POLICY) --model-path '$(MODEL)' --out $(OUT) $(HELP)

test: $(VENV)/.test ## run the whole test suite
	@$(BIN)/python -m pytest -n 2 $(PYTEST_ARGS)

lint: $(VENV)/.lint ## check style and types
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: $(VENV)/.lint ## sort imports and apply the fixes that are safe
	@$(BIN)/ruff check --fix .

bench: $(VENV)/.policy ## run every benchmark; figures go to out/bench
	@mkdir -p out/bench
	@set -e; for script in benchmarks/*.py; do \
	    echo "== $$script"; $(BIN)/python $$script --json out/bench/$$(basename $$script .py).json; \
	done

clean: ## remove the environment, what was built and what runs left behind
	@rm -rf $(VENV) build dist install log out *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.venv:
	@tools/make_venv.sh $(PYTHON) $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.venv setup.py
	@tools/pip_install.sh $(BIN)/python '$(RUNTIME)'
	@tools/install_libraries.sh $(BIN)/python
	@touch $@

$(VENV)/.policy: $(VENV)/.runtime
	@tools/install_torch.sh $(BIN)/python
	@tools/pip_install.sh $(BIN)/python '$(RUNTIME),policy'
	@touch $@

$(VENV)/.test: $(VENV)/.policy
	@tools/pip_install.sh $(BIN)/python '$(RUNTIME),policy,test'
	@tools/install_browser.sh
	@touch $@

$(VENV)/.lint: $(VENV)/.test
	@tools/pip_install.sh $(BIN)/python '$(RUNTIME),policy,test,lint'
	@touch $@
