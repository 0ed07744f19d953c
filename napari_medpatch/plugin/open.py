"""Opening files: the one way behind drag-and-drop, ``napari FILE``, the Open tab and the command line."""

import os
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from napari_medpatch.errors import ChoiceNeededError
from napari_medpatch.events import Job, run
from napari_medpatch.plugin.layers import layer_data
from napari_medpatch.plugin.links import bare
from napari_medpatch.plugin.mask_file import add_mask, is_mask_file, mask_layer_data, reading_mask, volumes_of
from napari_medpatch.plugin.messages import tell, warn
from napari_medpatch.plugin.napari_progress import watch_in_napari
from napari_medpatch.plugin.same_series import JustOpened, files_of
from napari_medpatch.plugin.settings import preference
from napari_medpatch.plugin.slide_company import keep_company

if TYPE_CHECKING:
    import napari
    import napari.layers

    from napari_medpatch.io.source import Source
    from napari_medpatch.io.tile_cache import TileCache

    Path = str | os.PathLike[str]
    Choose = Callable[[ChoiceNeededError], int | None]


_just_opened = JustOpened()


def open_paths(
    viewer: "napari.Viewer",
    paths: Sequence["Path"],
    mpp: float | tuple[float, float] | None = None,
    volume_index: int | None = None,
) -> list["napari.layers.Image"]:
    """Open files in a viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        Or its model.
    paths : sequence of path-like
        Slides, photographs, volumes, folders with a DICOM slide or series.
    mpp : float or tuple of float, optional
        Size of a slide's pixel in µm, ``(y, x)`` if they differ.
    volume_index : int, optional
        Which volume of a 4D file or series of a folder; asked for, or 0 in a script.

    Returns
    -------
    list of Image
        One layer per file that opened, in order; one for all files of a DICOM series.

    Raises
    ------
    MedPatchError
        At the first file that cannot be opened.
    """
    layers = []
    seen: set[pathlib.Path] = set()
    for path in paths:
        if pathlib.Path(path) in seen:
            continue
        if is_mask_file(path):
            layers.append(add_mask(bare(viewer), run(reading_mask(path, volumes_of(bare(viewer))))))
            continue
        source = open_or_choose(path, mpp=mpp, volume_index=volume_index)
        if source is not None:
            seen |= files_of(source)
            layers.append(show(viewer, source))
    return layers


def open_or_choose(
    path: "Path",
    *,
    mpp: float | tuple[float, float] | None = None,
    volume_index: int | None = None,
    choose: "Choose | None" = None,
    watch: "Callable[[Job], Any]" = run,
) -> "Source | None":
    """Open a file and settle which volume of a 4D file, or which DICOM series of a folder, is meant.

    Parameters
    ----------
    path, mpp, volume_index
        As :func:`open_paths`.
    choose : callable, optional
        Answers a :class:`ChoiceNeededError` with an index, None to open nothing; a dialog in the window,
        the first volume with a message in scripts.
    watch : callable
        Runs the job of opening to its end and returns its result.
    """
    from napari_medpatch.io.detect import open_steps

    cache = tile_cache()

    def opened(index: int | None) -> "Source":
        source: Source = watch(open_steps(path, mpp=mpp, volume_index=index, cache=cache))
        return source

    try:
        return opened(volume_index)
    except ChoiceNeededError as question:
        if volume_index is not None or not question.choices:
            raise
        index = (choose or default_choice)(question)
        return None if index is None else opened(index)


def show(viewer: "napari.Viewer", source: "Source", name: str = "") -> "napari.layers.Image":
    """Add a source to a viewer and say what the user should know about it."""
    from napari.layers import Layer

    viewer = bare(viewer)
    layer = Layer.create(*layer_data(source, name)[0])
    viewer.add_layer(layer)
    # A slide beside a CT volume would be a speck: look at what was just opened.
    viewer.fit_to_view(layers=[layer])
    if source.kind == "volume":
        _go_into(viewer, layer)
    say_what_is_unknown(source)
    keep_company(source)
    return layer  # type: ignore[return-value]


def _go_into(viewer: "napari.Viewer", layer: "napari.layers.Layer") -> None:
    """Move to the middle slice if the present one lies outside, as after a longer volume."""
    bounds = layer.extent.world
    for axis in viewer.dims.not_displayed[-layer.ndim :]:
        low, high = bounds[:, axis - viewer.dims.ndim]
        if not low <= viewer.dims.point[axis] <= high:
            viewer.dims.set_point(axis, (low + high) / 2)


def say_what_is_unknown(source: "Source") -> None:
    """Show one sentence for a slide without a pixel size, and the reader's own notes."""
    if source.kind == "slide" and source.spacing is None:
        from napari_medpatch.io.pixel_size import why_unknown

        warn(
            f"{why_unknown(source)}; it is shown in pixels. Give the size in the "
            f"Open tab of MedPatch (µm per pixel, often 0.25 or 0.5) before you classify it."
        )
    for note in source.metadata.get("notes", ()):
        tell(f"{source.path.name}: {note}")


def default_choice(question: ChoiceNeededError) -> int | None:
    """Ask in a running window; take the first in a script, which nobody watches."""
    from qtpy.QtWidgets import QApplication

    from napari_medpatch.plugin.questions import ask_which, somebody_is_there

    if QApplication.instance() is not None and somebody_is_there():
        return ask_which(question)
    warn(f"{question} The first one is shown; another one can be chosen in the Open tab of MedPatch.")
    return 0


def read_layers(path: "Path") -> list[Any]:
    """Return LayerData of a file, for napari's readers."""
    if is_mask_file(path):
        import napari

        mask = watch_in_napari(reading_mask(path, volumes_of(napari.current_viewer())))
        return [mask_layer_data(mask)]
    if _just_opened.covers(path):
        return [(None,)]
    source = open_or_choose(path, watch=watch_in_napari)
    if source is None:
        return [(None,)]
    _just_opened.note(path, source)
    say_what_is_unknown(source)
    keep_company(source)
    return layer_data(source)


def tile_cache() -> "TileCache":
    """Return the cache of decoded tiles that all slides and jobs share, as large as the preferences say."""
    from napari_medpatch.io.tile_cache import MB, default_cache, stated_bytes

    stated = stated_bytes()
    wanted = int(preference("slides", "cache_mb")) * MB if stated is None else stated
    cache = default_cache()
    if cache.max_bytes != wanted:
        cache.resize(wanted)
    return cache
