# What a new user runs: `make demo`, `make test`. Everything lands in .venv and demo_output/.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# A display is needed for the window; without one, draw on a virtual screen.
XVFB := $(if $(DISPLAY)$(WAYLAND_DISPLAY),,xvfb-run -a -s "-screen 0 1600x1000x24")
# One process per core; the tests of a file share what it prepares.
PARALLEL := -n auto --dist loadfile

.PHONY: help install demo test lint pyqt6 screenshots benchmarks clean

help:
	@echo "make demo         install, run the four jobs on sample data, write demo_output/"
	@echo "make test         install, lint, run the tests (plugin tests on PyQt6 too)"
	@echo "make lint         ruff, mypy, npe2 validate"
	@echo "make screenshots  draw the pictures of the documentation again"

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	@scripts/system_packages.sh
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[pyqt5,pyqt6,test,lint]"
	@touch $@

demo: install
	$(BIN)/napari-medpatch demo --output demo_output

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/npe2 validate napari_medpatch/napari.yaml

# The tested binding is PyQt5; the window must work on PyQt6 as well.
pyqt6: install
	QT_API=pyqt6 PYTEST_QT_API=pyqt6 $(XVFB) $(BIN)/python -m pytest -q $(PARALLEL) tests/plugin

test: lint pyqt6
	QT_API=pyqt5 PYTEST_QT_API=pyqt5 $(XVFB) $(BIN)/python -m pytest $(PARALLEL)

screenshots: install
	$(XVFB) $(BIN)/python scripts/screenshots.py docs/images
	$(XVFB) $(BIN)/python scripts/screenshots.py docs/images --slides
	$(XVFB) $(BIN)/python scripts/screenshots.py docs/images --volumes

benchmarks: install
	$(BIN)/python benchmarks/main_job.py ../shared/real
	for name in feed end_to_end memory cost gpu; do $(BIN)/python benchmarks/slide_$$name.py; done
	$(XVFB) $(BIN)/python benchmarks/open_slide.py
	for name in inference cost classes open lungs gpu; do $(BIN)/python benchmarks/volume_$$name.py; done
	$(BIN)/python benchmarks/volume_interpolation.py ../shared/real
	$(XVFB) $(BIN)/python benchmarks/volume_gui.py

clean:
	rm -rf $(VENV) demo_output build dist *.egg-info
