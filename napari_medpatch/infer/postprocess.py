"""Clean a mask by rules from the model's card.

Rules apply to each class by itself; ``{"classes": {"lung": {...}}}`` replaces them for one class.

=====================  ==============================================================================
``min_component_ml``   drop connected pieces smaller than this many millilitres (volumes)
``min_component_mm3``  the same in cubic millimetres
``min_component_um2``  the same in square micrometres (slides)
``min_component_px``   the same in pixels or voxels
``keep_largest``       keep that many of the largest pieces
``fill_holes``         ``true``: background that does not reach the border joins the class around it;
                       ``"slices"``: the same in each slice along the first axis
``air_edge_hu``        voxels that the network is not sure of belong to a class if they lie below this
                       value (CT volumes; for the whole model, see ``infer/edges.py``)
=====================  ==============================================================================

Pieces touch by faces (edges in 2D); holes are closed when the background inside touches by corners too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import BundleError
from napari_medpatch.infer.edges import AIR_EDGE

Mask = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]
_SIZES = {"min_component_ml": ("mm", 1000.0), "min_component_mm3": ("mm", 1.0), "min_component_um2": ("um", 1.0)}
RULES = (*_SIZES, "min_component_px", "keep_largest", "fill_holes", AIR_EDGE)


def postprocess(
    mask: Mask, rules: Mapping[str, Any], *, voxel: Sequence[float], unit: str, class_names: Sequence[str] = ()
) -> Mask:
    """Return a cleaned copy of a mask.

    Parameters
    ----------
    mask : ndarray
        ``(*spatial)`` uint8, 0 background, 1… classes.
    rules : mapping
        See above.
    voxel : sequence of float
        Size of a voxel along each axis, in ``unit``.
    unit : str
        ``"mm"``, ``"um"`` or ``"px"``.
    class_names : sequence of str
        Foreground classes in order, for rules by class.

    Raises
    ------
    BundleError
        If a rule is unknown, or needs another unit.
    """
    result = mask.copy()
    by_class = rules.get("classes", {})
    check_rules(rules, class_names)
    for value in range(1, int(mask.max(initial=0)) + 1):
        name = class_names[value - 1] if value <= len(class_names) else ""
        own = by_class.get(name, {key: rule for key, rule in rules.items() if key != "classes"})
        _clean_class(result, value, own, voxel, unit)
    return result


def check_rules(rules: Mapping[str, Any], class_names: Sequence[str]) -> None:
    """Raise :class:`BundleError` for a rule or class that does not exist."""
    by_class: Mapping[str, Mapping[str, Any]] = rules.get("classes", {})
    given = {key for own in by_class.values() for key in own} | (set(rules) - {"classes"})
    if unknown := sorted(given - set(RULES)):
        raise BundleError(f"The model asks for the unknown clean-up {unknown[0]!r}; known are {', '.join(RULES)}.")
    if strangers := sorted(set(by_class) - set(class_names)):
        raise BundleError(f"The model cleans up the class {strangers[0]!r}, but has {', '.join(class_names)}.")


def smallest_component(rules: Mapping[str, Any], voxel: Sequence[float], unit: str) -> float:
    """Return the size in voxels below which pieces are dropped, 0 without such a rule."""
    smallest = float(rules.get("min_component_px", 0))
    for key, (needed, factor) in _SIZES.items():
        if key not in rules:
            continue
        if unit != needed:
            raise BundleError(f"The clean-up {key} needs voxels measured in {needed}; this image has {unit}.")
        smallest = max(smallest, float(rules[key]) * factor / float(np.prod(voxel)))
    return smallest


def keep_components(piece: Bools, smallest: float, largest_only: int | None = None) -> Bools:
    """Return the connected pieces of at least ``smallest`` voxels, the ``largest_only`` largest of them."""
    from scipy.ndimage import label

    labels, count = label(piece)
    if count == 0:
        return piece
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    keep = sizes >= max(smallest, 1)
    if largest_only is not None and largest_only < count:
        # Stable, so that of two equal pieces the first stays.
        dropped = np.argsort(-sizes, kind="stable")[largest_only:]
        keep[dropped] = False
    return np.asarray(keep[labels])


def fill_holes(piece: Bools) -> Bools:
    """Return a piece with the background inside it that does not reach the border."""
    from scipy.ndimage import generate_binary_structure, label

    # The background connects through corners where the foreground does not, or thin walls would leak.
    labels, count = label(~piece, structure=generate_binary_structure(piece.ndim, piece.ndim))
    outside = np.zeros(count + 1, bool)
    for axis in range(piece.ndim):
        for end in (0, -1):
            outside[np.unique(np.take(labels, end, axis=axis))] = True
    # Label 0 is the piece itself.
    outside[0] = False
    return np.asarray(~outside[labels])


def _clean_class(mask: Mask, value: int, rules: Mapping[str, Any], voxel: Sequence[float], unit: str) -> None:
    """Apply one class's rules in place, within the class's bounding box."""
    box = _bounding_box(mask == value)
    if not rules or box is None:
        return
    view = mask[box]
    piece = view == value
    smallest, largest = smallest_component(rules, voxel, unit), rules.get("keep_largest")
    kept = keep_components(piece, smallest, largest) if smallest > 1 or largest is not None else piece
    view[piece & ~kept] = 0
    if filling := rules.get("fill_holes"):
        filled = np.stack([fill_holes(plane) for plane in kept]) if filling == "slices" else fill_holes(kept)
        # A hole that holds another class is not background, so it stays.
        view[filled & (view == 0)] = value


def _bounding_box(piece: Bools) -> tuple[slice, ...] | None:
    edges = []
    for axis in range(piece.ndim):
        others = tuple(other for other in range(piece.ndim) if other != axis)
        found = np.flatnonzero(piece.any(axis=others))
        if not len(found):
            return None
        edges.append(slice(int(found[0]), int(found[-1]) + 1))
    return tuple(edges)
