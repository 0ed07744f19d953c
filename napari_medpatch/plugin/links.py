"""Which source a layer shows and which image a result belongs to."""

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch.errors import WrongKindError
from napari_medpatch.plugin.layers import LIVE, META, role_of

if TYPE_CHECKING:
    import napari.layers

    from napari_medpatch.geometry import Spacing
    from napari_medpatch.io.source import Kind, Source

_images: "weakref.WeakKeyDictionary[Any, weakref.ref[Any]]" = weakref.WeakKeyDictionary()
_MAX_BYTES = 4e9
_TO_UM = {"mm": 1000.0, "millimeter": 1000.0, "um": 1.0, "micrometer": 1.0, "nanometer": 1e-3, "meter": 1e6}


def bare(thing: Any) -> Any:
    """Return the object behind napari's proxy for plugins: results are found by identity."""
    return getattr(thing, "__wrapped__", thing)


def belongs_to(result: "napari.layers.Layer", image: "napari.layers.Image") -> None:
    """Remember the image of a result layer."""
    _images[result] = weakref.ref(image)


def image_of(layer: "napari.layers.Layer | None") -> "napari.layers.Image | None":
    """Return the image that a layer is or belongs to, None if there is none."""
    if layer is None:
        return None
    known = _images.get(layer)
    if known is not None:
        return known()
    return layer if kind_of(layer) else None  # type: ignore[return-value]


def kind_of(layer: "napari.layers.Layer | None") -> "Kind | None":
    """Return what an image layer shows; None for results, other layers and images of other shapes."""
    from napari.layers import Image

    if not isinstance(layer, Image) or role_of(layer):
        return None
    if META in layer.metadata:
        return layer.metadata[META]["kind"]
    if layer.rgb and layer.ndim == 2:
        return "photo"
    return "volume" if layer.ndim == 3 and not layer.rgb and not layer.multiscale else None


def live_source(layer: "napari.layers.Layer | None") -> "Source | None":
    """Return the open source of a layer, None if it has none (yet); never reads pixels."""
    return None if layer is None else layer.metadata.get(LIVE)


def image_shape(layer: "napari.layers.Image") -> tuple[int, ...]:
    """Return the spatial shape of an image's finest grid."""
    data = layer.data[0] if layer.multiscale else layer.data
    return tuple(int(n) for n in data.shape[: layer.ndim])


def spacing_of(layer: "napari.layers.Image") -> "Spacing | None":
    """Return the pixel size of an image without reading it."""
    live = live_source(layer)
    kind = kind_of(layer)
    if live is not None:
        return live.spacing
    return _spacing(layer, kind) if kind is not None else None


def source_of(layer: "napari.layers.Image") -> "Source":
    """Return the source behind an image layer; one is made from the array of a layer of other origin.

    That reads the array, so call it in a worker.

    Raises
    ------
    WrongKindError
        If the layer is neither a colour picture nor a volume, or too large to hold in memory.
    """
    live = live_source(layer)
    if live is not None:
        return live
    kind = kind_of(layer)
    if kind is None:
        raise WrongKindError(
            f"Layer {layer.name} is {_shape_in_words(layer)}; MedPatch works on colour pictures (Y, X, 3) and "
            f"volumes (Z, Y, X)."
        )
    source = _from_array(layer, kind)
    layer.metadata[LIVE] = source
    return source


def _from_array(layer: "napari.layers.Image", kind: "Kind") -> "Source":
    import numpy as np

    from napari_medpatch.io.array_source import ArraySource

    data = layer.data[0] if layer.multiscale else layer.data
    size = float(np.prod(data.shape)) * np.dtype(data.dtype).itemsize
    if size > _MAX_BYTES:
        raise WrongKindError(
            f"Layer {layer.name} holds {size / 1e9:.1f} GB and did not come through MedPatch; open its file with the "
            f"Open tab, which reads it piece by piece."
        )
    path = Path(layer.source.path) if layer.source.path else Path(layer.name)
    return ArraySource(np.asarray(data), kind, spacing=_spacing(layer, kind), path=path)


def _spacing(layer: "napari.layers.Image", kind: "Kind") -> "Spacing | None":
    """Return the pixel size that the user gave the layer, None if it is in pixels."""
    from napari_medpatch.geometry import Spacing

    factors = [_TO_UM.get(str(unit)) for unit in layer.units]
    if None in factors:
        return None
    unit, per_um = ("mm", 1e-3) if kind == "volume" else ("um", 1.0)
    values = tuple(float(s) * f * per_um for s, f in zip(layer.scale, factors, strict=True))
    return Spacing(values, unit, "layer scale")


def _shape_in_words(layer: Any) -> str:
    kind = type(layer).__name__.lower()
    return f"a {kind} layer of {layer.ndim} dimensions" + (" and several resolutions" if layer.multiscale else "")
