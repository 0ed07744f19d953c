"""Curves of slices as SVG that a page can hold; colours of text and grid follow the page."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#888888")
"""Okabe and Ito's palette, then two more; dashes tell classes apart as well."""
_DASHES = ("none", "7 3", "2 2", "9 3 2 3", "12 4", "4 4", "1 3", "6 2 1 2")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _BOTTOM, _TOP = 640, 200, 56, 16, 30, 10


@dataclass(frozen=True, slots=True)
class Curve:
    """One line.

    Parameters
    ----------
    name : str
        For the legend.
    values : ndarray
        (slices,) float64; NaN leaves a gap.
    """

    name: str
    values: npt.NDArray[np.float64]

    @property
    def is_empty(self) -> bool:
        """Whether nothing can be drawn."""
        return bool(np.isnan(self.values).all())


def svg_curve(curves: Sequence[Curve], x_label: str, y_label: str, *, top: float = 1.0) -> str:
    """Draw curves over slices.

    Parameters
    ----------
    curves : sequence of Curve
        At most as many as :data:`COLOURS` are drawn.
    x_label, y_label : str
        Of the axes.
    top : float
        Upper end of the y axis.

    Returns
    -------
    str
        An ``<svg>`` element. It holds numbers and the labels, which must be plain text.
    """
    count = max((len(curve.values) for curve in curves), default=1)
    lines = [_line(curve, index, count, top) for index, curve in enumerate(curves[: len(COLOURS)])]
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{y_label} by {x_label}">'
        f"{_grid(count, top)}{''.join(lines)}"
        f'<text x="{(_LEFT + _WIDTH) / 2:.0f}" y="{_HEIGHT - 2}" text-anchor="middle">{x_label}</text>'
        f'<text x="10" y="{_HEIGHT / 2:.0f}" text-anchor="middle" transform="rotate(-90 10 {_HEIGHT / 2:.0f})">'
        f"{y_label}</text></svg>"
    )


def dash_of(index: int) -> str:
    """Return the dash pattern of a curve, for legends."""
    return _DASHES[index % len(_DASHES)]


def _grid(count: int, top: float) -> str:
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = _y(share * top, top)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{_LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{_tick(share * top)}</text>'
        )
    parts += [
        f'<text x="{_x(index, count):.1f}" y="{_HEIGHT - 16}" text-anchor="middle">{index}</text>'
        for index in np.linspace(0, count - 1, min(count, 6)).round().astype(int).tolist()
    ]
    return "".join(parts)


def _line(curve: Curve, index: int, count: int, top: float) -> str:
    known = np.flatnonzero(~np.isnan(curve.values))
    pieces = np.split(known, np.flatnonzero(np.diff(known) > 1) + 1) if len(known) else []
    path = "".join(
        "M"
        + "L".join(f"{_x(i, count):.1f} {_y(float(curve.values[i]), top):.1f}" for i in piece.tolist())
        # A single slice has no length; a stroke of none with round ends is a dot.
        + ("h0" if len(piece) == 1 else "")
        for piece in pieces
    )
    style = f'stroke="{COLOURS[index]}" stroke-dasharray="{_DASHES[index]}"'
    return f'<path d="{path}" fill="none" {style} stroke-width="2" stroke-linecap="round"/>' if path else ""


def _tick(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _x(index: int, count: int) -> float:
    return _LEFT + (_WIDTH - _RIGHT - _LEFT) * (index / max(1, count - 1))


def _y(value: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * (value / top if top else 0.0)
