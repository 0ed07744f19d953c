"""Masks out of layers: on one grid, with pixel size, names and the image that they belong to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.errors import GeometryError, LabelsError
from napari_medpatch.plugin.layers import META, role_of
from napari_medpatch.plugin.links import image_of, kind_of, live_source

if TYPE_CHECKING:
    import napari.layers

    from napari_medpatch.evaluate.class_map import ClassMap
    from napari_medpatch.evaluate.settings import EvaluationSettings
    from napari_medpatch.events import Job
    from napari_medpatch.io.source import Source

SPARSE = "sparse labels"
_UNITS: Mapping[str, tuple[str, float]] = {
    "millimeter": ("mm", 1.0),
    "centimeter": ("mm", 10.0),
    "meter": ("mm", 1000.0),
    "micrometer": ("um", 1.0),
    "nanometer": ("um", 1e-3),
}
_SHORT: Mapping[str, str] = {
    "mm": "millimeter",
    "cm": "centimeter",
    "m": "meter",
    "um": "micrometer",
    "µm": "micrometer",
    "nm": "nanometer",
}
_OFF_BY = 0.25
"""Of a pixel, that two grids may be apart."""


@dataclass(frozen=True, slots=True)
class MaskLayers:
    """Copies of masks as they are now; painting may go on.

    Parameters
    ----------
    prediction : ndarray
        Values of the layer.
    truth : ndarray or None
        Values of the other, 0 background, 1… classes.
    keep : ndarray of bool or None
        Which pixels are compared; None for all.
    spacing : tuple of float or None
        Size of a pixel, in ``unit``.
    unit : str
        ``"mm"`` or ``"um"``.
    names : tuple of tuple of str
        Of values 1, 2, … of prediction and truth.
    affine : ndarray or None
        (4, 4), ``(x, y, z)`` index to RAS+ mm.
    image : ndarray or None
        ``(Z, Y, X)`` values of the image, for means inside and pictures.
    source : Source or None
        Of the image, for pictures.
    value_unit : str
        ``"HU"`` or empty.
    provenance : mapping
        Names and files.
    """

    prediction: Any
    truth: Any
    keep: Any
    spacing: tuple[float, ...] | None
    unit: str
    names: tuple[tuple[str, ...], tuple[str, ...]]
    affine: Any
    image: Any
    source: "Source | None"
    value_unit: str
    provenance: Mapping[str, Any]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of values 1, 2, … of both."""
        return self._common_names()[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of them."""
        return tuple(self._common_names()[1])

    def _common_names(self) -> tuple[tuple[str, ...], list[str]]:
        from napari_medpatch.evaluate.files import common_names

        return common_names(*self.names) if self.truth is not None else (self.names[0], [])

    def backdrop(self) -> Any:
        """Return what lies behind the pictures of a report, None without an image."""
        from napari_medpatch.evaluate.backdrop import backdrop_of, volume_backdrop

        if self.image is not None:
            return volume_backdrop(self.image)
        if self.source is None or self.source.kind == "volume":
            return None
        return backdrop_of(self.source, self.prediction.shape)

    def job(self, settings: "EvaluationSettings") -> "Job":
        """Return the job that compares the masks, or measures the one."""
        from napari_medpatch.evaluate.evaluation import evaluate_masks
        from napari_medpatch.evaluate.volumes import measure_mask

        common: dict[str, Any] = {
            "spacing": self.spacing,
            "unit": self.unit,
            "affine": self.affine,
            "class_names": self.class_names,
            "settings": settings,
            "notes": self.notes,
            "provenance": self.provenance,
        }
        if self.truth is None:
            return measure_mask(self.prediction, image=self.image, value_unit=self.value_unit, **common)
        return evaluate_masks(self.prediction, self.truth, keep=self.keep, **common)


def renumbered(masks: MaskLayers, prediction: "ClassMap", truth: "ClassMap") -> MaskLayers:
    """Return masks whose classes have other values, as ``evaluate --map-prediction --map-truth`` gives them.

    Raises
    ------
    LabelsError
        If values are not whole numbers from 0 to 255.
    """
    from napari_medpatch.evaluate.class_map import recorded
    from napari_medpatch.evaluate.masks import to_mask

    if not (prediction.pairs or truth.pairs):
        return masks
    values, names = prediction.apply(to_mask(masks.prediction, "prediction"), masks.names[0])
    true, true_names = masks.truth, masks.names[1]
    if true is not None:
        true, true_names = truth.apply(to_mask(true, "truth"), true_names)
    provenance = {**masks.provenance, **recorded(prediction, truth)}
    return replace(masks, prediction=values, truth=true, names=(names, true_names), provenance=provenance)


def take_masks(prediction: "napari.layers.Labels", truth: "napari.layers.Labels | None") -> MaskLayers:
    """Copy what is to be compared out of layers.

    Parameters
    ----------
    prediction : Labels layer
        0 background, 1… classes.
    truth : Labels layer or None
        The same on the same grid, or sparse labels, whose unlabelled pixels are left out.

    Raises
    ------
    GeometryError
        If the layers do not lie on one grid.
    LabelsError
        If a layer has several resolutions, or the sparse labels are empty.
    """
    from napari_medpatch import __version__

    layers = [prediction] if truth is None else [prediction, truth]
    for layer in layers:
        if layer.multiscale:
            raise LabelsError(f"Layer {layer.name} has several resolutions; convert it to a single one.")
    if truth is not None:
        check_one_grid(prediction, truth)
    true, keep = _truth(truth)
    image, value_unit, affine = _image(prediction)
    unit, spacing = pixel_size(prediction)
    return MaskLayers(
        prediction=prediction.data.copy(),
        truth=true,
        keep=keep,
        spacing=spacing,
        unit=unit,
        names=(_names(prediction), _names(truth) if truth is not None else ()),
        affine=affine,
        image=image,
        source=live_source(image_of(prediction)),
        value_unit=value_unit,
        provenance={"version": __version__}
        | {key: layer.name for key, layer in zip(("prediction", "truth"), layers, strict=False)}
        | _origin(prediction),
    )


def check_one_grid(one: "napari.layers.Layer", other: "napari.layers.Layer") -> None:
    """Raise :class:`GeometryError` if two layers do not cover each other pixel by pixel."""
    if one.data.shape != other.data.shape:
        sizes = " and ".join(f"{layer.name} ({_size(layer)})" for layer in (one, other))
        raise GeometryError(f"{sizes} have other shapes; compare masks on one grid, or resample one of them.")
    corner = np.array(one.data.shape) - 1
    for data in (np.zeros(one.ndim), corner):
        there = np.array(other.world_to_data(_in_units_of(one, other) * np.array(one.data_to_world(data))))
        off = float(np.abs(there - data).max())
        if off > _OFF_BY:
            scales = " and ".join(
                f"{layer.name} (scale {tuple(round(float(s), 4) for s in layer.scale)}, "
                f"translate {tuple(round(float(t), 3) for t in layer.translate)})"
                for layer in (one, other)
            )
            raise GeometryError(f"{scales} lie {off:.3g} pixels apart; give both layers the same scale and translate.")


def pixel_size(layer: "napari.layers.Layer") -> tuple[str, tuple[float, ...] | None]:
    """Return the unit of length and the pixel size of a layer, None where it is in pixels."""
    known = [_UNITS.get(_SHORT.get(str(unit), str(unit))) for unit in layer.units]
    if None in known or len({unit for unit, _ in known}) > 1:  # type: ignore[misc]
        return "px", None
    origin = np.array(layer.data_to_world(np.zeros(layer.ndim)))
    steps = [np.linalg.norm(np.array(layer.data_to_world(axis)) - origin) for axis in np.eye(layer.ndim)]
    return known[0][0], tuple(float(step * factor) for step, (_, factor) in zip(steps, known, strict=True))  # type: ignore[index,misc]


def _in_units_of(one: "napari.layers.Layer", other: "napari.layers.Layer") -> Any:
    """Return what turns world coordinates of a layer into those of another: napari draws mm and µm together."""
    factors = []
    for mine, theirs in zip(one.units, other.units, strict=True):
        try:
            factors.append(float((1 * mine).to(theirs).magnitude))
        except Exception:  # noqa: BLE001 - pint has its own hierarchy; pixels have no length
            factors.append(1.0)
    return np.array(factors)


def _truth(layer: "napari.layers.Labels | None") -> tuple[Any, Any]:
    """Return values and where they hold."""
    if layer is None:
        return None, None
    values = layer.data.copy()
    if role_of(layer) != SPARSE:
        return values, None
    keep = values > 0
    if not keep.any():
        raise LabelsError(f"Layer {layer.name} holds no labels to compare with; paint some, or choose a full mask.")
    return values - keep, keep


def _names(layer: "napari.layers.Labels") -> tuple[str, ...]:
    """Return the names of values 1, 2, … of a mask; those of sparse labels begin with the background's."""
    names = tuple(str(name) for name in layer.metadata.get(META, {}).get("class_names", ()))
    return names[1:] if role_of(layer) == SPARSE else names


def _image(layer: "napari.layers.Labels") -> tuple[Any, str, Any]:
    """Return values, unit and affine of the volume that a mask lies on, None where there is none."""
    image = image_of(layer)
    source = live_source(image)
    if image is None or kind_of(image) != "volume" or image.data.shape != layer.data.shape:
        return None, "", None
    grid = getattr(source, "grid", None)
    affine = grid.canonical_affine if grid is not None and grid.known else None
    unit = "" if source is None else str(source.metadata.get("value_unit", ""))
    return np.asarray(image.data), unit if unit == "HU" else "", affine


def _origin(layer: "napari.layers.Labels") -> dict[str, Any]:
    """Return which image a mask lies on and how it was made."""
    facts = layer.metadata.get(META, {})
    made = {key: str(facts[key]) for key in ("model",) if key in facts}
    source = {"image": str(facts["source"])} if "source" in facts else {}
    return source | ({"made": {"prediction": made}} if made else {})


def _size(layer: "napari.layers.Layer") -> str:
    return " × ".join(str(n) for n in layer.data.shape[::-1])
