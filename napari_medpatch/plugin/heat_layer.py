"""The layer of one class, or of what else is known of each patch."""

from typing import TYPE_CHECKING, Any

from napari_medpatch.plugin.layers import like_source, provenance

if TYPE_CHECKING:
    import napari.layers

    from napari_medpatch.plugin.live_heat_map import LiveHeatMap

_LOOKS = {"uncertainty": ("magma", (0.0, 0.5)), "attention": ("inferno", (0.0, 1.0))}
"""Colour map and range of what is no probability; a spread of values from 0 to 1 is 0.5 at most."""


def heat_layer(run: "LiveHeatMap", name: str) -> "napari.layers.Image":
    """Return the layer that draws a class or an extra of a run: where nothing was scored it is transparent.

    It draws the run's own array, attention a copy that holds weights instead of logits.
    """
    from napari.layers import Image

    facts: dict[str, Any] = {"model": run.model, "class_names": list(run.class_names)}
    if name in run.class_names:
        title, role, looks = f"p({name})", "heat map", ("viridis", (0.0, 1.0))
        facts["class_index"] = run.class_names.index(name)
    else:
        title, role, looks = name, "patch values", _LOOKS.get(name, ("viridis", (0.0, 1.0)))
        facts["name"] = name
    values = run.tally.shown(name)
    return Image(
        values.copy() if name == "attention" else values,
        name=f"{run.image.name} {run.model} {title}",
        colormap=looks[0],
        contrast_limits=looks[1],
        opacity=0.6,
        blending="translucent",
        interpolation2d="nearest",
        metadata=provenance(run.image, role, **facts) | run.links,
        **like_source(run.image, run.grid.transform(None)),
    )
