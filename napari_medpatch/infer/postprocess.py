"""The rules of model cards for cleaning a mask.

Rules apply to each class by itself; ``{"classes": {"lung": {...}}}`` replaces them for one class. They stand
for steps of :mod:`napari_medpatch.infer.clean`, in the order of this table.

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
"""

from collections.abc import Mapping, Sequence
from typing import Any

from napari_medpatch.errors import BundleError
from napari_medpatch.infer.clean.amount import Size
from napari_medpatch.infer.clean.components import DropSmall, FillHoles, KeepLargest
from napari_medpatch.infer.clean.step import CleanStep
from napari_medpatch.infer.edges import AIR_EDGE

_SIZES = {
    "min_component_ml": ("ml", "mm"),
    "min_component_mm3": ("mm3", "mm"),
    "min_component_um2": ("um2", "um"),
    "min_component_px": ("px", ""),
}
"""Unit of a rule, and the unit of voxels that it needs."""
RULES = (*_SIZES, "keep_largest", "fill_holes", AIR_EDGE)


def rule_steps(
    rules: Mapping[str, Any], class_names: Sequence[str], unit: str, *, share: float = 1.0
) -> tuple[CleanStep, ...]:
    """Return the steps that a card's rules stand for, class by class.

    Parameters
    ----------
    rules : mapping
        See above; what the edge of air does is decided while the mask is made, not here.
    class_names : sequence of str
        Foreground classes.
    unit : str
        Of the voxels: ``"mm"``, ``"um"`` or ``"px"``.
    share : float
        How much of a whole scan the image is; sizes in mm are smaller by as much.

    Raises
    ------
    BundleError
        If a rule needs another unit.
    """
    by_class: Mapping[str, Mapping[str, Any]] = rules.get("classes", {})
    general = {key: rule for key, rule in rules.items() if key != "classes"}
    steps: list[CleanStep] = []
    for name in class_names:
        # A class of its own needs not be named.
        scope = (name,) if len(class_names) > 1 else ()
        steps += _steps_of(by_class.get(name, general), scope, unit, share)
    return tuple(steps)


def check_rules(rules: Mapping[str, Any], class_names: Sequence[str]) -> None:
    """Raise :class:`BundleError` for a rule or class that does not exist."""
    by_class: Mapping[str, Mapping[str, Any]] = rules.get("classes", {})
    given = {key for own in by_class.values() for key in own} | (set(rules) - {"classes"})
    if unknown := sorted(given - set(RULES)):
        raise BundleError(f"The model asks for the unknown clean-up {unknown[0]!r}; known are {', '.join(RULES)}.")
    if strangers := sorted(set(by_class) - set(class_names)):
        raise BundleError(f"The model cleans up the class {strangers[0]!r}, but has {', '.join(class_names)}.")


def _steps_of(rules: Mapping[str, Any], scope: tuple[str, ...], unit: str, share: float) -> list[CleanStep]:
    """Return the steps of one class."""
    steps: list[CleanStep] = []
    for key, (size_unit, needed) in _SIZES.items():
        if not rules.get(key):
            continue
        if needed not in ("", unit):
            raise BundleError(f"The clean-up {key} needs voxels measured in {needed}; this image has {unit}.")
        size = float(rules[key])
        if needed == "mm" and share < 1:
            size = float(f"{size * share:.3g}")
        steps.append(DropSmall(scope, Size(size, size_unit)))
    if rules.get("keep_largest") is not None:
        steps.append(KeepLargest(scope, int(rules["keep_largest"])))
    if rules.get("fill_holes"):
        steps.append(FillHoles(scope, slices=rules["fill_holes"] == "slices"))
    return steps
