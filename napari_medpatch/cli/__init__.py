"""The ``napari-medpatch`` command: the same jobs as in the window, for shells and clusters."""

from napari_medpatch.cli.main import main

__all__ = ["main"]
