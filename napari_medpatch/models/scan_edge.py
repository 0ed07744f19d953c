"""What a network sees beyond the edge of a scan: the outermost voxels again, as far as its card asks for.

Beyond its input a network sees zeros, which for an HU window is air. Tissue at the edge of a narrow field of view, and
slices of a stack that is thinner than what the network looks at, then border on air that is not there. A card says
under ``intensity``::

    "beyond": {"margin_mm": [0, 8, 8], "least_mm": 64}

``margin_mm`` is added on both sides of each axis; volumes shorter than ``least_mm`` are made that long. The mask is
that of the scan itself, and of a shorter one the model's rules drop accordingly smaller pieces.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_medpatch.errors import BundleError

if TYPE_CHECKING:
    from napari_medpatch.models.card import ModelCard

KEY = "beyond"
_MOST_MM = 1000.0


@dataclass(frozen=True, slots=True)
class ScanEdge:
    """How far a scan is continued.

    Parameters
    ----------
    margin_mm : tuple of float
        On both sides of each axis, (z, y, x).
    least_mm : float
        Extent that every axis has at least.
    """

    margin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    least_mm: float = 0.0

    def voxels(self, spacing_mm: Sequence[float]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return margin and least extent per axis, in voxels of a size."""
        margin = tuple(math.ceil(m / s - 1e-6) for m, s in zip(self.margin_mm, spacing_mm, strict=True))
        return margin, tuple(max(1, math.ceil(self.least_mm / s - 1e-6)) for s in spacing_mm)

    def share(self, extent_mm: Sequence[float]) -> float:
        """Return how much of a large enough scan one of this extent is, 0…1."""
        return math.prod(min(1.0, e / self.least_mm) for e in extent_mm) if self.least_mm > 0 else 1.0


def scan_edge(card: "ModelCard") -> ScanEdge:
    """Read a card's rule; without one nothing is continued.

    Raises
    ------
    BundleError
        If it is not as described above.
    """
    rule = card.intensity.get(KEY, {})
    if not isinstance(rule, Mapping) or set(rule) - {"margin_mm", "least_mm"}:
        raise _wrong(card)
    margin = rule.get("margin_mm", (0.0, 0.0, 0.0))
    if not isinstance(margin, list | tuple) or len(margin) != 3:
        raise _wrong(card)
    z, y, x = (_length(card, value) for value in margin)
    return ScanEdge((z, y, x), _length(card, rule.get("least_mm", 0.0)))


def _length(card: "ModelCard", value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_MM:
        raise _wrong(card)
    return float(value)


def _wrong(card: "ModelCard") -> BundleError:
    return BundleError(
        f"Model {card.name} says {dict(card.intensity).get(KEY)!r} of what lies beyond a scan; its config.json needs "
        '"beyond": {"margin_mm": [z, y, x], "least_mm": number}, in mm up to 1000.'
    )
