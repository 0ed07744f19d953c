"""From sources to napari layers, and the transforms that keep results on their image."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.geometry import GridTransform
from napari_medpatch.plugin.settings import preference

if TYPE_CHECKING:
    import napari.layers

    from napari_medpatch.io.source import Source

    LayerData = tuple[Any, dict[str, Any], str]

META = "medpatch"
"""Key of the plugin's facts in ``layer.metadata``: plain values only, so that they can be exported."""

LIVE = "medpatch_source"
"""Key of the open source in ``layer.metadata``."""


def layer_data(source: "Source", name: str = "") -> list["LayerData"]:
    """Describe a source as napari layers.

    Parameters
    ----------
    source : Source
        It stays open: the layer's metadata hold it, and jobs read from it.
    name : str
        Of the layer; by default the file's name, or the description of a DICOM series.

    Returns
    -------
    list of tuple
        One image layer. Slides are multiscale with lazy levels, in µm; volumes one NumPy array, in mm;
        pixels where the size is unknown.
    """
    attributes: dict[str, Any] = {
        "name": name or layer_name(source),
        "metadata": {META: facts(source), LIVE: source},
        **placement(source),
    }
    if source.kind == "volume":
        data = source.data  # type: ignore[attr-defined]
        colours = "gray_r" if source.metadata.get("inverted") else "gray"
        return [(data, attributes | {"contrast_limits": contrast(data, source), "colormap": colours}, "image")]
    attributes["rgb"] = True
    if source.kind == "photo":
        return [(source.data, attributes, "image")]  # type: ignore[attr-defined]
    return [(*_pyramid(source, attributes), "image")]


def layer_name(source: "Source") -> str:
    """Return the name of a source's layer: the file's, or the description of a DICOM series."""
    return str(source.metadata.get("series_description") or source.path.name)


def placement(source: "Source") -> dict[str, Any]:
    """Return scale, units and axis labels of a source's finest grid."""
    axes = ("z", "y", "x") if source.kind == "volume" else ("y", "x")
    if source.spacing is None:
        return {"scale": (1.0,) * len(axes), "units": ("pixel",) * len(axes), "axis_labels": axes}
    return {"scale": source.spacing.values, "units": (source.spacing.unit,) * len(axes), "axis_labels": axes}


def facts(source: "Source") -> dict[str, Any]:
    """Return what exports and the header say about a source."""
    spacing = source.spacing
    return {
        "source": str(source.path),
        "kind": source.kind,
        "format": source.format,
        "shape": list(source.levels[0].shape),
        "spacing": list(spacing.values) if spacing else None,
        "spacing_unit": spacing.unit if spacing else None,
        "spacing_origin": spacing.origin if spacing else None,
        "volume_index": source.metadata.get("volume_index"),
        "volumes": source.metadata.get("volumes", 1),
        "volume_names": source.metadata.get("volume_names", []),
        "series_uid": source.metadata.get("series_uid"),
    }


def contrast(data: "np.ndarray[Any, Any]", source: "Source") -> tuple[float, float]:
    """Return contrast limits of a volume: the preferred HU window for CT, percentiles otherwise."""
    from napari_medpatch.io.hu import HU_WINDOWS

    if source.metadata.get("value_unit") == "HU":
        return HU_WINDOWS[preference("volumes", "hu_window")]
    step = max(1, round((data.size / 1e6) ** (1 / 3)))
    low, high = np.percentile(data[::step, ::step, ::step], (0.5, 99.5)).tolist()
    return (low, high) if high > low else (low, low + 1)


def like_source(layer: "napari.layers.Layer", grid: GridTransform | None = None) -> dict[str, Any]:
    """Return the transform of a layer that lies on another one.

    Parameters
    ----------
    layer : napari layer
        The image that a result belongs to.
    grid : GridTransform, optional
        Where the result's grid lies on the image, in pixels of the image; its own grid by default.

    Returns
    -------
    dict
        ``scale, translate, rotate, shear, affine, units, axis_labels`` for the new layer.
    """
    scale, translate = np.asarray(layer.scale), np.asarray(layer.translate)
    if grid is not None:
        # The first four make up p ↦ R·S·diag(scale)·p + translate; the new grid is g ↦ p = s·g + t.
        linear = np.asarray(layer.rotate) @ _shear_matrix(np.asarray(layer.shear), scale.size) @ np.diag(scale)
        translate = translate + linear @ np.asarray(grid.translate)
        scale = scale * np.asarray(grid.scale)
    return {
        "scale": scale,
        "translate": translate,
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": layer.affine,
        "units": layer.units,
        "axis_labels": layer.axis_labels,
    }


def provenance(of: "napari.layers.Layer", role: str, **more: Any) -> dict[str, Any]:
    """Return the ``metadata`` of a result layer.

    Parameters
    ----------
    of : napari layer
        The image that the job ran on.
    role : str
        ``"mask"``, ``"probability"``, ``"heat map"``, ``"tissue"`` or ``"sparse labels"``.
    **more
        Model, settings, class names.
    """
    base: Mapping[str, Any] = of.metadata.get(META, {})
    return {META: {"source": base.get("source", of.name), "role": role, **more}, LIVE: of.metadata.get(LIVE)}


def role_of(layer: "napari.layers.Layer | None") -> str:
    """Return which result a layer holds, empty for images and layers that are not ours."""
    return "" if layer is None else str(layer.metadata.get(META, {}).get("role", ""))


def mask_colours(count: int, colours: Sequence[str] = ()) -> dict[int | None, str]:
    """Return a mask's colour table: the colours of the strokes, and grey for values without a class.

    Parameters
    ----------
    count : int
        Foreground classes.
    colours : sequence of str, optional
        Theirs; colour-blind-safe ones by default.
    """
    from napari_medpatch.annotate.sparse import colour_of

    chosen = [*colours, *(colour_of(value + 1) for value in range(len(colours) + 1, count + 1))]
    return {None: "grey", 0: "transparent", **dict(enumerate(chosen, start=1))}


def _pyramid(source: "Source", attributes: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    from napari_medpatch.io.lazy_level import LazyLevel

    levels = [LazyLevel(source, index, peek=True) for index in range(len(source.levels))]
    if len(levels) == 1:
        return levels[0], attributes
    return levels, attributes | {"multiscale": True}


def _shear_matrix(shear: "np.ndarray[Any, Any]", ndim: int) -> "np.ndarray[Any, Any]":
    """Return napari's shear as a matrix: given as one, or as the entries above the diagonal."""
    if shear.ndim == 2:
        return shear
    matrix = np.eye(ndim)
    matrix[np.triu_indices(ndim, 1)] = shear
    return matrix
