"""Exact cuts where a network allows them, overlapping windows where it does not."""

from napari_medpatch.infer.halo import Tiling
from napari_medpatch.infer.network_axes import NetworkAxes
from napari_medpatch.infer.window_tiling import WindowTiling, window_on
from napari_medpatch.infer.working_grid import WorkingGrid
from napari_medpatch.models.card import THRESHOLD, ModelCard
from napari_medpatch.models.network import unet_config
from napari_medpatch.models.network_facts import network_facts

AnyTiling = Tiling | WindowTiling


def tiling_of(grid: WorkingGrid, card: ModelCard, slice_axis: int | None) -> AnyTiling:
    """Return how a working grid may be cut for a model.

    Parameters
    ----------
    grid : WorkingGrid
        On the image's axes.
    card : ModelCard
        A segmentation model.
    slice_axis : int, optional
        Axis of independent slices.

    Raises
    ------
    BundleError
        If what the card says of its network makes no sense.
    """
    if card.architecture == THRESHOLD:
        # What is lung shows in the whole only, so that the grid is not cut.
        return Tiling(grid.shape, (0,) * len(grid.shape), grid.shape)
    reach = _exact(card)
    if reach is not None:
        radius, multiple = (_on_axes(values, slice_axis, rest) for values, rest in zip(reach, (0, 1), strict=True))
        # Reach of the convolutions plus what the pools' windows add; see UNetConfig.halo.
        margin = tuple(r + m - 1 for r, m in zip(radius, multiple, strict=True))
        return Tiling(grid.shape, margin, multiple)
    facts = network_facts(card)
    multiple = _on_axes(facts.multiple_for(card.dimensions), slice_axis, 1)
    window = window_on(grid.shape, _on_axes(facts.window_for(card.dimensions), slice_axis, 1), multiple)
    flipped = NetworkAxes.of(facts, card.dimensions, slice_axis).flipped
    if slice_axis is not None:
        flipped = (*flipped[:slice_axis], False, *flipped[slice_axis:])
    return WindowTiling(grid.shape, window, facts.overlap, facts.blend, flipped=flipped, slice_axis=slice_axis)


def _exact(card: ModelCard) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Return reach of the convolutions and multiple of a network that can be cut exactly, else None."""
    if card.architecture == "unet":
        config = unet_config(card)
        if not config.tileable:
            return None
        return (config.receptive_radius,) * config.dimensions, (config.multiple,) * config.dimensions
    facts = network_facts(card)
    if facts.receptive_radius is None:
        return None
    return facts.receptive_radius, facts.multiple or (1,) * card.dimensions


def _on_axes(values: tuple[int, ...], slice_axis: int | None, rest: int) -> tuple[int, ...]:
    """Return a network's values on the image's axes; ``rest`` stands on the axis of slices."""
    if slice_axis is None:
        return values
    return (*values[:slice_axis], rest, *values[slice_axis:])
