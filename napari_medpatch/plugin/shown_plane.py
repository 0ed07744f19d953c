"""Which slice of a layer the window shows."""

from typing import TYPE_CHECKING

from napari_medpatch.plugin.slice_place import current_slice

if TYPE_CHECKING:
    import napari
    import napari.layers


def plane_region(viewer: "napari.Viewer", layer: "napari.layers.Layer", axis: int = 0) -> tuple[slice, ...]:
    """Return the slice of a layer that is shown, as an index; the whole of a picture.

    Parameters
    ----------
    viewer : napari.Viewer
        The window.
    layer : napari layer
        A volume or a picture.
    axis : int
        Across which a slice is meant while the window shows 3D.
    """
    region = [slice(0, n) for n in layer.data.shape]
    if layer.ndim < 3:
        return tuple(region)
    hidden = [dim - (viewer.dims.ndim - layer.ndim) for dim in viewer.dims.not_displayed]
    across = next((dim for dim in hidden if dim >= 0), axis)
    index = current_slice(viewer, layer, across)
    region[across] = slice(index, index + 1)
    return tuple(region)
