"""Lungs by threshold and morphology, the classical baseline of the field.

Hu, Hoffman and Reinhardt, *Automatic lung segmentation for accurate quantitation of volumetric X-ray CT images*, IEEE
Trans. Med. Imaging 20, 2001; Armato and Sensakovic, *Automated lung segmentation for thoracic CT*, Academic Radiology
11, 2004. Dense disease at the pleura that is wider than the closing ball is left out, as with all such methods.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from napari_medpatch.errors import BundleError
from napari_medpatch.infer.clean.ball import Ball
from napari_medpatch.infer.clean.components import FillHoles
from napari_medpatch.infer.clean.pieces import Pieces
from napari_medpatch.infer.clean.sides import Sides, find_sides
from napari_medpatch.infer.clean.work import Bools, Place, Work
from napari_medpatch.infer.lungs.air import Air, find_air, find_trunk
from napari_medpatch.infer.lungs.airways import find_airways
from napari_medpatch.infer.lungs.choose import choose_lungs
from napari_medpatch.infer.working_grid import FloatArray
from napari_medpatch.steps import part_of

_REGROWN = 5
_ERODED = 0.4
"""What is left of a small piece of lung when the neck's ball has taken its rind."""


@dataclass(frozen=True, slots=True)
class ThresholdSettings:
    """What a card's ``network`` says.

    Parameters
    ----------
    air_hu : float
        Below it is air.
    closing_mm : float
        Radius of the ball that closes dents of vessels and nodules.
    neck_mm : float
        Radius of the ball that does not pass from lung into bowel.
    smallest_ml : float
        Smaller pieces are no lung.
    """

    air_hu: float = -400.0
    closing_mm: float = 8.0
    neck_mm: float = 2.0
    smallest_ml: float = 12.0

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], name: str) -> "ThresholdSettings":
        """Read them; :class:`BundleError` if one is unknown or no number."""
        known = {field.name for field in fields(cls)}
        for key, value in values.items():
            if key not in known or isinstance(value, bool) or not isinstance(value, int | float):
                raise BundleError(
                    f"config.json of {name} gives its network {key} {value!r}; known are {', '.join(sorted(known))}, "
                    "all numbers."
                )
        return cls(**{key: float(value) for key, value in values.items()})


@dataclass(frozen=True, slots=True)
class FoundLungs:
    """Lungs on the working grid.

    Parameters
    ----------
    lungs : ndarray
        ``(Z, Y, X)`` bool, with vessels and nodules, without windpipe.
    aerated : ndarray
        Same shape, bool: those of their voxels that are air.
    """

    lungs: Bools
    aerated: Bools


def find_lungs(hu: FloatArray, edge_mm: float, settings: ThresholdSettings) -> Generator[float, None, FoundLungs]:
    """Find both lungs.

    Parameters
    ----------
    hu : ndarray
        ``(Z, Y, X)`` float32, HU; z upwards, x to the patient's left. Working resolution, about 2 mm.
    edge_mm : float
        Of a voxel.
    settings : ThresholdSettings
        How.

    Yields
    ------
    float
        Share done.
    """
    air = yield from part_of(find_air(hu, settings.air_hu), 0.0, 0.2)
    nothing = FoundLungs(np.zeros(hu.shape, bool), np.zeros(hu.shape, bool))
    if not air.inside.any():
        return nothing
    airways = yield from part_of(find_airways(hu, air.inside, edge_mm), 0.2, 0.25)
    body = yield from part_of(find_trunk(hu, edge_mm), 0.45, 0.15)
    aerated = yield from part_of(_aerated(hu, air, air.inside & ~airways, body, edge_mm, settings), 0.6, 0.15)
    if not aerated.any():
        return nothing
    lungs = aerated.copy()
    for share in _close_each(lungs, edge_mm, settings.closing_mm):
        yield 0.75 + 0.25 * share
    lungs &= ~(airways | air.outside | air.beyond)
    return FoundLungs(lungs | aerated, aerated)


def _aerated(
    hu: FloatArray, air: Air, candidates: Bools, body: Bools, edge_mm: float, settings: ThresholdSettings
) -> Generator[float, None, Bools]:
    """Return the air of the lungs: pieces that hang together by more than a thin neck, and are lung."""
    neck = Ball(settings.neck_mm, (edge_mm,) * 3)
    pieces = Pieces(neck.eroded(candidates))
    for share in pieces.find():
        yield 0.4 * share
    numbers = np.concatenate([part for _, part in pieces.numbered()]).astype(np.int32)
    chosen = choose_lungs(hu, numbers, air, body, edge_mm, _ERODED * settings.smallest_ml)
    yield 0.7
    table = np.zeros(len(pieces.sizes), np.uint8)
    table[chosen] = 1
    # Others that are not tiny claim what is nearer to them.
    table[(pieces.sizes * edge_mm**3 >= 1000) & (table == 0)] = 2
    kept = table[numbers]
    grow = Ball(settings.neck_mm + edge_mm, (edge_mm,) * 3)
    for again in range(_REGROWN):
        # Into air only, so that thin parts come back but nothing reaches around a wall.
        kept = np.where(candidates, grow.nearest(kept, [1, 2]), 0).astype(np.uint8)
        yield 0.7 + 0.3 * (again + 1) / _REGROWN
    return np.asarray(kept == 1)


def _close_each(lungs: Bools, edge_mm: float, closing_mm: float) -> Generator[float, None, None]:
    """Close and fill each lung by itself, so that the mediastinum between them stays open; in place."""
    mask = lungs.astype(np.uint8)
    for rows, left in _left(lungs, edge_mm):
        mask[rows][left & lungs[rows]] = 2
        yield 0.3
    ball = Ball(closing_mm, (edge_mm,) * 3)
    for value in (1, 2):
        closed = np.zeros_like(lungs)
        for rows, part in ball.filtered(mask == value, ball.closed, 2):
            closed[rows] = part
            yield 0.3 + 0.3 * value / 2 * rows.stop / len(lungs)
        work = Work(closed.astype(np.uint8), ["lung"], Place((edge_mm,) * 3, "mm"))
        for step in (FillHoles(), FillHoles(slices=True)):
            for _ in step.apply(work):
                yield 0.3 + 0.35 * value
        lungs |= work.mask > 0


def _left(lungs: Bools, edge_mm: float) -> "Generator[tuple[slice, Bools], None, None]":
    for found in find_sides(lungs, (edge_mm,) * 3, "mm", 0, lungs.shape[2]):
        if isinstance(found, Sides) and not found.note:
            yield from found.slabs()
