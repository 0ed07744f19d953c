"""Sentences about layers that cannot be explained."""

import difflib
from collections.abc import Sequence

from napari_medpatch.errors import BundleError


def unknown_layer(layer: str, known: Sequence[str], model: str, shape: tuple[int, ...] | None = None) -> BundleError:
    """Return the error for a layer that does not exist, or gives no map.

    Parameters
    ----------
    layer : str
        What the user asked for.
    known : sequence of str
        Layers that would do, in the order of computation.
    model : str
        Name of the model.
    shape : tuple of int, optional
        What the layer gives, if it exists.
    """
    close = difflib.get_close_matches(layer, known, n=4, cutoff=0.4) or list(known[-4:])
    what = f"gives {shape}, not a map" if shape is not None else "does not exist"
    hint = f"did you mean {', '.join(close)}?" if close else "none of its layers gives a map."
    return BundleError(f"Layer {layer!r} of {model} {what}; {hint}")


def no_map(model: str) -> BundleError:
    """Return the error for a model without any layer that has positions."""
    return BundleError(
        f"{model} has no layer with a map of features before its pooling, so Grad-CAM cannot say where it looked; "
        "choose another model."
    )
