"""MONAI's transforms of values as intensities of a model card."""

from collections.abc import Callable, Mapping
from typing import Any

from napari_medpatch.errors import BundleError

HARMLESS = frozenset({
    "LoadImage", "EnsureChannelFirst", "AddChannel", "AsChannelFirst", "EnsureType", "CastToType", "ToTensor",
    "ToDevice", "Identity",
})  # fmt: skip
"""Transforms that leave the values in their places."""


def _range(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": "hu_window", "low": given["a_min"], "high": given["a_max"], **_to(given)}


def _percentiles(given: Mapping[str, Any]) -> dict[str, Any]:
    if given.get("relative"):
        raise BundleError("The MONAI bundle scales values by relative percentiles, which has no counterpart here")
    return {"kind": "percentile", "lower": given["lower"], "upper": given["upper"], **_to(given)}


def _to(given: Mapping[str, Any]) -> dict[str, Any]:
    low, high = given.get("b_min"), given.get("b_max")
    if low is None or high is None:
        raise BundleError("The MONAI bundle scales values to no range, which has no counterpart here")
    return {"to": [low, high], "clip": bool(given.get("clip", False))}


def _extremes(given: Mapping[str, Any]) -> dict[str, Any]:
    if given.get("factor") is not None:
        raise BundleError("The MONAI bundle scales values by a factor, which has no counterpart here")
    low, high = given.get("minv", 0.0), given.get("maxv", 1.0)
    return {"kind": "percentile", "lower": 0, "upper": 100, "to": [low, high]}


def _normalised(given: Mapping[str, Any]) -> dict[str, Any]:
    mean, deviation = given.get("subtrahend"), given.get("divisor")
    if mean is None and deviation is None:
        return {"kind": "zscore", "nonzero": bool(given.get("nonzero", False))}
    if given.get("nonzero") or not all(isinstance(v, int | float) for v in (mean, deviation)):
        raise BundleError("The MONAI bundle normalises values in a way that has no counterpart here")
    return {"kind": "mean_std", "mean": mean, "std": deviation}


INTENSITIES: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "ScaleIntensityRange": _range,
    "ScaleIntensityRangePercentiles": _percentiles,
    "ScaleIntensity": _extremes,
    "NormalizeIntensity": _normalised,
}
