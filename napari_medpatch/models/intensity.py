"""How the values of a volume become network input: the kinds that a model card may name.

========================  ==================================================================================
kind                      meaning
========================  ==================================================================================
``hu_window``             ``low``…``high`` becomes ``to`` (0…1), cut off beyond (MONAI's ``ScaleIntensityRange``)
``mean_std``              cut to ``low``…``high`` if given, minus ``mean``, by ``std`` (nnU-Net's normalisation of CT)
``zscore``                minus the volume's mean, by its standard deviation; cut to ``low``…``high`` before, if
                          given; with ``nonzero`` true voxels of value 0 stay 0 and do not count; with ``above``
                          only voxels above that value count
``percentile``            the volume's percentiles ``lower``…``upper`` (0.5, 99.5) become ``to`` (0…1)
========================  ==================================================================================

``clip`` false lets ``hu_window`` and ``percentile`` go on beyond their range. Statistics are those of the volume
at the model's working resolution; what is not a number counts as the lowest value. ``skip_air`` true, for the kinds
of HU, says that nothing is to be found in the air around a patient, so that it need not be looked at. ``beyond`` says
what a network sees beyond the edge of a scan, see :mod:`napari_medpatch.models.scan_edge`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import BundleError
from napari_medpatch.models.scan_edge import scan_edge

if TYPE_CHECKING:
    from napari_medpatch.models.card import ModelCard

VOLUME_KINDS = ("hu_window", "mean_std", "zscore", "percentile")
HU_KINDS = ("hu_window", "mean_std")
_SLAB_VOXELS = 8_000_000
_KEYS = {
    "hu_window": {"low", "high", "to", "clip", "skip_air", "beyond"},
    "mean_std": {"low", "high", "mean", "std", "skip_air", "beyond"},
    "zscore": {"low", "high", "nonzero", "above", "beyond"},
    "percentile": {"lower", "upper", "to", "clip", "beyond"},
}


@dataclass(frozen=True, slots=True)
class Intensity:
    """A linear map of values, with limits.

    Parameters
    ----------
    low, high : float
        Values are cut to this range first.
    shift, scale : float
        Then ``(value - shift) / scale``.
    start, stretch : float
        Then ``start + stretch * value``.
    keep_zero : bool
        Voxels of value 0 stay 0.
    nan : float
        Value in place of what is not a number.
    """

    low: float = -math.inf
    high: float = math.inf
    shift: float = 0.0
    scale: float = 1.0
    start: float = 0.0
    stretch: float = 1.0
    keep_zero: bool = False
    nan: float = 0.0

    def apply(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return network input, float32 of the same shape."""
        result = values.astype(np.float32)
        limited = self.low > -math.inf and self.high < math.inf
        missing = np.isnan(result) if limited else ~np.isfinite(result)
        if missing.any():
            result[missing] = np.float32(self.nan)
        zero = result == 0 if self.keep_zero else None
        if self.low > -math.inf or self.high < math.inf:
            np.clip(result, np.float32(self.low), np.float32(self.high), out=result)
        result -= np.float32(self.shift)
        result /= np.float32(self.scale)
        if (self.start, self.stretch) != (0.0, 1.0):
            result *= np.float32(self.stretch)
            result += np.float32(self.start)
        if zero is not None:
            result[zero] = 0
        return result


def expects_hu(card: "ModelCard") -> bool:
    """Return whether a model was made for Hounsfield units; one that was fine-tuned on MR has a window, but of MR."""
    return card.intensity.get("kind") in HU_KINDS and card.training.get("value_unit", "HU") == "HU"


def intensity_of(card: "ModelCard", volume: npt.NDArray[Any] | None = None) -> Intensity:
    """Return the map that a card describes.

    Parameters
    ----------
    card : ModelCard
        A model for volumes.
    volume : ndarray, optional
        The whole volume at the working resolution, for the kinds that measure it.

    Raises
    ------
    BundleError
        If the card's ``intensity`` is of no known kind or lacks a number.
    """
    kind = check_intensity(card)
    values = dict(card.intensity)
    if kind == "hu_window":
        return _range(card, float(values["low"]), float(values["high"]))
    if kind == "mean_std":
        low, high = _limits(card)
        return Intensity(low, high, float(values["mean"]), float(values["std"]), nan=max(low, -1024.0))
    if volume is None:
        raise BundleError(f"The intensity {kind!r} of model {card.name} is measured on a volume; give the volume.")
    return _zscore(card, volume) if kind == "zscore" else _percentiles(card, volume)


def check_intensity(card: "ModelCard") -> str:
    """Return the kind of a card's intensity.

    Raises
    ------
    BundleError
        If the card's ``intensity`` is of no known kind, lacks a number or has one too many.
    """
    values, kind = dict(card.intensity), str(card.intensity.get("kind"))
    if kind not in VOLUME_KINDS:
        raise _wrong(card, f"a model for volumes needs an HU window or another of the kinds {', '.join(VOLUME_KINDS)}")
    unknown = sorted(set(values) - _KEYS[kind] - {"kind"})
    if unknown:
        raise _wrong(card, f"{kind} knows {', '.join(sorted(_KEYS[kind]))}, not {unknown[0]}")
    if kind == "hu_window" and not _number(card, "low", math.nan) < _number(card, "high", math.nan):
        raise _wrong(card, "an HU window needs low below high")
    _limits(card)
    if kind == "mean_std" and (not math.isfinite(_number(card, "mean", math.nan)) or not _number(card, "std", 0) > 0):
        raise _wrong(card, "a mean and a positive std are needed")
    if kind == "percentile" and not 0 <= _number(card, "lower", 0.5) < _number(card, "upper", 99.5) <= 100:
        raise _wrong(card, "percentiles from 0 to 100, lower below upper, are needed")
    if not isinstance(values.get("to", (0, 1)), list | tuple) or len(values.get("to", (0, 1))) != 2:
        raise _wrong(card, "'to' must be two numbers such as [0, 1]")
    if not isinstance(values.get("skip_air", False), bool):
        raise _wrong(card, "'skip_air' is true or false")
    scan_edge(card)
    return kind


def _range(card: "ModelCard", low: float, high: float) -> Intensity:
    """Map a range to the wanted one."""
    a, b = (float(v) for v in card.intensity.get("to", (0.0, 1.0)))
    scale = high - low if high > low else 1.0
    if card.intensity.get("clip", True):
        return Intensity(low, high, low, scale, a, b - a, nan=low)
    return Intensity(shift=low, scale=scale, start=a, stretch=b - a, nan=low)


def _zscore(card: "ModelCard", volume: npt.NDArray[Any]) -> Intensity:
    """Measure mean and standard deviation slab by slab, in float64."""
    low, high = _limits(card)
    nonzero = bool(card.intensity.get("nonzero", False))
    above = _number(card, "above", -math.inf)
    count, total, squares, least = 0, 0.0, 0.0, math.inf
    for slab in _slabs(volume):
        chosen = slab[np.isfinite(slab)]
        least = min(least, float(chosen.min())) if chosen.size else least
        chosen = chosen[chosen != 0] if nonzero else chosen
        chosen = chosen[chosen > above] if above > -math.inf else chosen
        # Relative to a value of the volume, so that squares of large values do not swallow the spread.
        values = np.clip(chosen.astype(np.float64), low, high) - _near(low, high)
        count, total, squares = count + values.size, total + float(values.sum()), squares + float((values**2).sum())
    mean = total / count if count else 0.0
    deviation = math.sqrt(max(0.0, squares / count - mean**2)) if count else 0.0
    lowest = least if math.isfinite(least) else 0.0
    return Intensity(low, high, mean + _near(low, high), deviation or 1.0, keep_zero=nonzero, nan=lowest)


def _near(low: float, high: float) -> float:
    return (low + high) / 2 if math.isfinite(low) and math.isfinite(high) else 0.0


def _percentiles(card: "ModelCard", volume: npt.NDArray[Any]) -> Intensity:
    finite = volume[np.isfinite(volume)]
    if not finite.size:
        return Intensity()
    ranks = (_number(card, "lower", 0.5), _number(card, "upper", 99.5))
    low, high = (float(v) for v in np.percentile(finite, ranks))
    return _range(card, low, high)


def _slabs(volume: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    rows = max(1, _SLAB_VOXELS // max(1, math.prod(volume.shape[1:])))
    for start in range(0, len(volume), rows):
        yield volume[start : start + rows]


def _limits(card: "ModelCard") -> tuple[float, float]:
    low, high = _number(card, "low", -math.inf), _number(card, "high", math.inf)
    if not low < high:
        raise _wrong(card, "low must be below high")
    return low, high


def _number(card: "ModelCard", key: str, default: float) -> float:
    value = card.intensity.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(card, f"{key} must be a number")
    return float(value)


def _wrong(card: "ModelCard", why: str) -> BundleError:
    return BundleError(f"Model {card.name} has the intensity {dict(card.intensity)}; {why}.")
