"""The class of each patch as a labels layer, in the colours of the files for QuPath."""

from typing import TYPE_CHECKING, Any

from napari_medpatch.plugin.layers import like_source, provenance
from napari_medpatch.plugin.links import belongs_to

if TYPE_CHECKING:
    import napari.layers

    from napari_medpatch.plugin.live_heat_map import LiveHeatMap


def add_class_map(run: "LiveHeatMap") -> "napari.layers.Labels":
    """Show the class map of a run above its image; it is drawn, not painted."""
    from napari.layers import Labels
    from napari.utils.colormaps import DirectLabelColormap

    step, patch = run.grid.stride_px, run.grid.patch_px
    facts: dict[str, Any] = {
        "model": run.model,
        "class_names": list(run.class_names),
        "deciding": run.points.deciding,
        # A cell is as large as the step and centred on its patch.
        "stride_px": list(step),
        "corner_px": [o + (p - s) / 2 for o, p, s in zip(run.grid.origin, patch, step, strict=True)],
    }
    layer = Labels(
        run.tally.class_map(run.points.deciding),
        name=f"{run.image.name} {run.model} classes",
        opacity=0.6,
        colormap=DirectLabelColormap(color_dict=class_colours(len(run.class_names))),
        metadata=provenance(run.image, "class map", **facts) | run.links,
        **like_source(run.image, run.grid.transform(None)),
    )
    belongs_to(layer, run.image)
    selected = list(run.viewer.layers.selection)
    run.viewer.add_layer(layer)
    run.viewer.layers.selection = selected
    layer.editable = False
    return layer


def class_colours(count: int) -> dict[int | None, tuple[float, ...]]:
    """Return the colour table of a class map: 0 nothing, 1… classes."""
    from napari_medpatch.io.geojson import class_colour

    clear = (0.0, 0.0, 0.0, 0.0)
    colours = {index + 1: (*(channel / 255 for channel in class_colour(index)), 1.0) for index in range(count)}
    return {None: clear, 0: clear, **colours}
