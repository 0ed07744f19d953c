"""What was accepted into a labels layer, kept with the layer."""

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import napari.layers

    from napari_medpatch.annotate.origins import AcceptedLabels

ACCEPTED = "medpatch_accepted"
"""Key of the record in ``layer.metadata``."""


def accepted_of(layer: "napari.layers.Labels") -> "AcceptedLabels":
    """Return the record of a layer; it follows undo and redo."""
    found = layer.metadata.get(ACCEPTED)
    return found if found is not None else set_accepted(layer)


def set_accepted(layer: "napari.layers.Labels", labels: Any = None, origins: Any = None) -> "AcceptedLabels":
    """Begin the record of a layer.

    Parameters
    ----------
    layer : Labels
        Sparse labels.
    labels, origins : ndarray, optional
        Saved labels and where they come from.
    """
    from napari_medpatch.annotate.origins import AcceptedLabels

    is_new = ACCEPTED not in layer.metadata
    layer.metadata[ACCEPTED] = AcceptedLabels.of_saved(labels, origins)
    if is_new:
        _follow_undo(layer)
    return layer.metadata[ACCEPTED]


def _follow_undo(layer: "napari.layers.Labels") -> None:
    """Look at the labels when they may have changed: napari does not say that a step was undone."""
    weak = weakref.ref(layer)

    def look(_event: Any = None) -> None:
        alive = weak()
        if alive is not None:
            alive.metadata[ACCEPTED].look(alive.data)

    for emitter in (layer.events.paint, layer.events.set_data):
        emitter.connect(look)
