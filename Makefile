# Every command that a person needs. `make` alone lists them.
#
# All that is installed goes to .venv. A stamp in it bears the checksum of the two files that say what
# to install: while they stay as they are, nothing is downloaded again, and everything works offline.

PYTHON ?= python3
LAB_OPTIONS ?=
ALONE := tests/attacks tests/browser tests/grader# these start servers and sandboxes, and mind the time
TOGETHER := tests/grader/test_exercises.py $(wildcard tests/test_*.py) $(filter-out $(ALONE),$(patsubst %/,%,$(wildcard tests/*/)))
TEST_OPTIONS ?=

PYTHON_HERE := "$(CURDIR)/.venv/bin/python"
WANTED := $(shell cat requirements.txt pyproject.toml | cksum | cut -d ' ' -f 1)
READY := .venv/ready-$(WANTED)
TEST_READY := .venv/ready-for-tests-$(WANTED)
SITE_READY := .venv/ready-for-the-site-$(WANTED)
TEACH_READY := .venv/ready-to-teach-$(WANTED)
SLIDES_READY := .venv/slides/ready-$(shell cksum < grader/slides/package.json | cut -d ' ' -f 1)
NBGRADER_TEST_READY := .venv/ready-for-nbgrader-tests-$(WANTED)

# nbgrader calls `alembic` and Jupyter its parts by their bare names
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help lab test test-long test-nbgrader attacks demo release bundle slides teach hub hub-remove site mistakes lint bench-grading bench-scale scaling train-lesson bench-training bench-multi30k clean npm bubblewrap browser postgresql

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

lab: $(READY) ## learn: open JupyterLab at lesson 00, in your own copy my-course/
	@$(PYTHON_HERE) -m utils.workspace notebooks my-course
	cd my-course && JUPYTER_CONFIG_PATH="$(CURDIR)/utils/lab" exec $(PYTHON_HERE) -m jupyterlab --LabApp.default_url=/lab/tree/00_welcome/00_welcome.ipynb \
	    $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_OPTIONS)

test: bubblewrap browser postgresql $(TEST_READY) $(SLIDES_READY) ## run every test, but those of test-long and test-nbgrader
	$(PYTHON_HERE) -m pytest $(TEST_OPTIONS) $(ALONE) --ignore=tests/grader/test_exercises.py
	$(PYTHON_HERE) -m pytest $(TEST_OPTIONS) -n 2 --dist loadgroup $(TOGETHER)

test-long: bubblewrap browser npm postgresql $(TEST_READY) $(SLIDES_READY) ## run the tests that take minutes each: killed graders, clusters; as root, a class on JupyterHub
	$(PYTHON_HERE) -m pytest -m long $(TEST_OPTIONS)

test-nbgrader: bubblewrap $(NBGRADER_TEST_READY) ## run nbgrader's own tests with its executor and with ours, and compare
	PYTHONPATH=tests $(PYTHON_HERE) tests/compare_nbgrader.py

attacks: bubblewrap $(TEST_READY) ## grade every hostile submission (writes docs/attacks.md)
	$(PYTHON_HERE) -m tests.attacks.table

demo: bubblewrap $(READY) ## grade a small made-up class, from submissions to feedback
	$(PYTHON_HERE) -m grader demo

release: $(READY) ## build notebooks/ from solutions/
	$(PYTHON_HERE) -m grader release

bundle: $(READY) ## make the students' zip in build/
	$(PYTHON_HERE) -m grader bundle

slides: release $(SLIDES_READY) ## build a deck a lesson in build/slides/ and the pages docs/instructors/
	$(PYTHON_HERE) -m grader slides

teach: $(TEACH_READY) ## teach live: the slides in JupyterLab (after make slides; Alt+R, after Run > Run All Cells)
	exec $(PYTHON_HERE) -m jupyterlab build/slides $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB_OPTIONS)

hub: release bubblewrap npm $(READY) ## try a class on this machine: JupyterHub, an instructor, three students (as root)
	$(PYTHON_HERE) -m deploy.one_machine

hub-remove: $(READY) ## take that class away again: accounts, homes, folders (as root)
	$(PYTHON_HERE) -m deploy.one_machine remove

site: release $(SITE_READY) ## build the site to read, build/site/html/index.html
	$(PYTHON_HERE) -m grader site

mistakes: $(TEST_READY) ## write docs/mistakes.md: the wrong answers that are caught and named
	$(PYTHON_HERE) tests/grader/proof.py

train-lesson: $(TEST_READY) ## run lesson 07's training for three seeds and write docs/training.md
	$(PYTHON_HERE) tests/solutions/run_07_training.py

lint: $(TEST_READY) ## look for slips in the code
	$(PYTHON_HERE) -m ruff check

bench-grading: bubblewrap $(READY) ## how fast the grader is, against plain nbgrader (writes docs/grading-speed.md)
	$(PYTHON_HERE) -m benchmarks.grading

bench-scale: bubblewrap $(READY) ## a thousand submissions in one run (writes docs/grading-speed.md)
	$(PYTHON_HERE) -m benchmarks.scale

scaling: $(READY) ## what large classes need, from what bench-scale measured (writes docs/scaling.md)
	$(PYTHON_HERE) -m benchmarks.simulate

bench-training: $(TEST_READY) ## how fast it learns and writes, against PyTorch's own (writes docs/training-speed.md)
	$(PYTHON_HERE) -m benchmarks.training $(if $(DATA),--data "$(DATA)")

bench-multi30k: $(TEST_READY) ## train on Multi30k in DATA=FOLDER, for hours; goes on where it was stopped (writes docs/multi30k.md)
	@test -n "$(DATA)" || { echo "Say where the data are: make bench-multi30k DATA=FOLDER"; exit 1; }
	$(PYTHON_HERE) -m benchmarks.multi30k "$(DATA)" $(if $(STEPS),--steps $(STEPS))

clean: ## remove what can be made again soon (not .venv, your my-course/ or the runs of bench-multi30k)
	find build -mindepth 1 -maxdepth 1 -not -name multi30k -exec rm -rf {} + 2>/dev/null || true
	rm -rf *.egg-info .pytest_cache .hypothesis .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

# --- set-up ---

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	    { echo "Python 3.10 or newer is needed; choose one by: make PYTHON=python3.12 lab"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	    .ci/system-packages $$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
	$(PYTHON) -m venv .venv

$(READY): | .venv/bin/pip
	@echo "Installing what the course needs (once, some minutes) ..."
	$(PYTHON_HERE) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(TEST_READY): | $(READY)
	$(PYTHON_HERE) -m pip install --quiet --disable-pip-version-check -e '.[test,cluster,postgres,site,teach]'
	@touch $@

$(SITE_READY): | $(SLIDES_READY)
	$(PYTHON_HERE) -m pip install --quiet --disable-pip-version-check -e '.[site]'
	@touch $@

$(TEACH_READY): | $(READY)
	$(PYTHON_HERE) -m pip install --quiet --disable-pip-version-check -e '.[teach]'
	@touch $@

$(NBGRADER_TEST_READY): | $(READY)
	$(PYTHON_HERE) -m pip install --quiet --disable-pip-version-check -e '.[test-nbgrader]'
	@touch $@

$(SLIDES_READY): grader/slides/package.json | $(READY) npm
	@mkdir -p .venv/slides
	cp grader/slides/package.json .venv/slides/
	npm install --prefix .venv/slides --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel=error
	@touch $@

npm:
	@command -v npm >/dev/null || .ci/system-packages npm

bubblewrap:
	@command -v bwrap >/dev/null || .ci/system-packages bubblewrap

browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || .ci/system-packages 'chromium|chromium-browser'
	@fc-list 2>/dev/null | grep -qi dejavu || .ci/system-packages fonts-dejavu-core fontconfig

postgresql:
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || .ci/system-packages postgresql || echo "Without PostgreSQL its tests are skipped."
