"""Do early what the first image would otherwise wait for: imports of readers, units and interpolation.

Together they take about a second of processor time, once per process; an open slide takes a tenth of that.
"""

import gc
from collections.abc import Callable

from qtpy.QtCore import QObject, QTimer

from napari_medpatch.plugin.early_imports import import_ahead, import_for_labels

_PAUSE_MS = 150


def warm_up() -> None:
    """Do all of it now; for a program that is about to make its window."""
    for step in _STEPS:
        step()
    # Nothing is open yet, so that what is there stays for good and need not be looked through again and again.
    gc.collect()
    gc.freeze()


def warm_up_when_idle(parent: QObject) -> None:
    """Do it step by step between the user's actions; not in a thread, because pint's registry is not made for that.

    Parameters
    ----------
    parent : QObject
        When it is gone, the rest is left out.
    """
    timer, rest = QTimer(parent), [*_STEPS, _labels]

    def step() -> None:
        rest.pop(0)()
        if not rest:
            timer.stop()

    timer.timeout.connect(step)
    timer.start(_PAUSE_MS)


def _readers() -> None:
    import imagecodecs  # noqa: F401
    import openslide  # noqa: F401
    import tifffile  # noqa: F401

    import napari_medpatch.io.slide
    import napari_medpatch.io.tiff_tiles  # noqa: F401


def _units() -> None:
    """Let pint read its definitions, which napari uses for the units of layers."""
    import pint

    pint.get_application_registry().Unit("um")


def _interpolation() -> None:
    """Import what napari makes thumbnails with."""
    import scipy.ndimage

    scipy.ndimage.zoom  # noqa: B018 - scipy loads its parts when they are asked for


def _preferences() -> None:
    from napari_medpatch.plugin.open import tile_cache

    tile_cache()


def _labels() -> None:
    """Begin to import what the first layer of labels wants; in a thread, for nothing there minds."""
    import_ahead(import_for_labels)


_STEPS: tuple[Callable[[], None], ...] = (_readers, _units, _interpolation, _preferences)
