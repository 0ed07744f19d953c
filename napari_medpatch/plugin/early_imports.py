"""Import in a worker what would hold the window up later."""

import ctypes
import gc
import importlib.util
import os
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path

_SUFFIXES = {"linux": ".so", "darwin": ".dylib"}


def import_torch() -> None:
    """Import torch; call it in a worker, before anything there imports torch.

    Python holds its lock while it loads a library, and torch's, of some hundred megabytes, take up to a second, in
    which the window would stand still. So they are loaded first through a call that gives the lock away.
    """
    if "torch" in sys.modules:
        return
    # Only to be quicker: whatever fails here, the import itself says.
    with suppress(OSError, AttributeError, ImportError, ValueError):
        _load_libraries()
    import torch  # noqa: F401

    # So many new objects make Python look through all of them soon, for a quarter of a second, in the midst of a job.
    gc.collect()


def import_for_labels() -> None:
    """Import what napari wants for its first layer of labels, about a second's worth; call it in a worker."""
    import pandas  # noqa: F401
    import skimage.color

    skimage.color.lab2rgb  # noqa: B018 - skimage loads its parts when they are asked for
    # The outline of the polygon tool, which every layer of labels has, wants vispy's patterns of dashes: computed in
    # Python, the first time somebody asks. Whatever is amiss here, the layer itself says.
    with suppress(ImportError, AttributeError):
        from vispy.visuals.line.dash_atlas import DashAtlas

        DashAtlas()


@cache
def import_ahead(load: Callable[[], None]) -> Future[None]:
    """Begin to import what the user is about to need, once per process, in a thread of its own.

    Whatever fails there, the job that needs it says. Loads are done one after the other.

    Parameters
    ----------
    load : callable
        One of the functions above.
    """
    return _thread().submit(load)


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "medpatch imports")


def _load_libraries() -> None:
    spec = importlib.util.find_spec("torch")
    if spec is None or sys.platform not in _SUFFIXES:
        return
    for folder in spec.submodule_search_locations or ():
        library = Path(folder) / "lib" / f"libtorch_python{_SUFFIXES[sys.platform]}"
        if library.is_file():
            load = ctypes.CDLL(None).dlopen
            load.argtypes, load.restype = [ctypes.c_char_p, ctypes.c_int], ctypes.c_void_p
            load(os.fsencode(library), os.RTLD_NOW)
