"""Training-free estimates of every pixel's class from sparse labels, and which mixture of them to trust.

Three estimates: *texture* (forest on filter responses), *place* (the same with coordinates) and *carried*
(slices carried along the optical flow). On real CTs their mean beat a U-Net trained for a minute on every
structure tried, from lungs to an aorta; which mixture is best differs, so it is chosen by holding out paint.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from napari_medpatch.annotate.sparse import LabelArray
from napari_medpatch.patience import patiently
from napari_medpatch.train.features import FloatArray, filter_bank, positions
from napari_medpatch.train.flow import SliceFlows, carry_labels
from napari_medpatch.train.folds import PaintedSlices
from napari_medpatch.train.forest import fit_forest, forest_probabilities


@dataclass(frozen=True, slots=True)
class Parts:
    """The three estimates, each ``(num_classes, *spatial)`` float32.

    Parameters
    ----------
    texture, place : ndarray
        Of the forests without and with coordinates.
    carried : ndarray or None
        Of the carried slices, None without flows.
    gap : ndarray or None
        ``(*spatial)`` float32: slices to the nearest painted one, for ``carried``.
    """

    texture: FloatArray
    place: FloatArray
    carried: FloatArray | None = None
    gap: FloatArray | None = None

    def at(self, where: tuple[slice, ...] | npt.NDArray[np.bool_]) -> "Parts":
        """Return the estimates on some of the pixels."""
        index = (slice(None), *(where if isinstance(where, tuple) else (where,)))
        carried = None if self.carried is None else self.carried[index]
        gap = None if self.gap is None else self.gap[index[1:]]
        return Parts(self.texture[index], self.place[index], carried, gap)


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work an estimate is worth.

    Parameters
    ----------
    trees : int
        Of each forest.
    per_class : int
        Pixels of each class that a forest learns from.
    """

    trees: int
    per_class: int


FULL = Effort(trees=50, per_class=6000)
QUICK = Effort(trees=25, per_class=2500)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What can be known about an image before any label is used.

    Parameters
    ----------
    image : ndarray
        ``(C, *spatial)`` float32, 0…1 over the values that occur.
    detail : ndarray
        ``(*spatial)`` float32, 0…1 over the intensities around the painted objects.
    features : ndarray
        ``(pixels, features)``; the last columns are the coordinates.
    num_classes : int
        Background included.
    seed : int
        Of the forests.
    flows : tuple of SliceFlows
        Per axis that has painted slices; empty if there are none or time ran out.
    """

    image: FloatArray
    detail: FloatArray
    features: FloatArray
    num_classes: int
    seed: int
    flows: tuple[SliceFlows, ...] = field(default=())

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the working grid."""
        return self.image.shape[1:]

    @property
    def texture(self) -> FloatArray:
        """Features without coordinates."""
        return self.features[:, : -len(self.shape)]


def gather_evidence(
    image: FloatArray, detail: FloatArray, num_classes: int, seed: int
) -> Generator[None, None, Evidence]:
    """Filter the image, yielding while it takes."""

    def features() -> FloatArray:
        return np.concatenate([filter_bank(image), positions(image.shape[1:])], axis=1)

    return Evidence(image, detail, (yield from patiently(features)), num_classes, seed)


def with_flows(evidence: Evidence, slices: Sequence[PaintedSlices]) -> Generator[None, None, Evidence]:
    """Measure the flow across every axis that has painted slices, yielding after each pair of slices.

    Closing the generator half-way leaves the evidence as it was.
    """
    measured = []
    for axis in sorted({part.axis for part in slices}):
        if SliceFlows.possible(evidence.shape, axis):
            flows = SliceFlows(evidence.detail, axis)
            for index in range(len(flows) - 1):
                flows.measure(index)
                yield
            measured.append(flows)
    return replace(evidence, flows=tuple(measured))


def estimate(
    evidence: Evidence,
    labels: LabelArray,
    slices: Sequence[PaintedSlices],
    effort: Effort,
    lattice: tuple[slice, ...] | None = None,
) -> Generator[None, None, Parts]:
    """Make the three estimates, yielding while they take.

    Parameters
    ----------
    evidence : Evidence
        Of the image.
    labels : ndarray
        Sparse labels on the working grid.
    slices : sequence of PaintedSlices
        Of these labels.
    effort : Effort
        How much work.
    lattice : tuple of slice, optional
        Pixels to estimate; all by default.

    Returns
    -------
    Parts
        On the lattice.
    """
    where = lattice or (slice(None),) * labels.ndim
    rows = None if lattice is None else np.arange(labels.size).reshape(labels.shape)[where].reshape(-1)
    shape = labels[where].shape

    def grow(features: FloatArray) -> FloatArray:
        forest = fit_forest(features, labels, trees=effort.trees, per_class=effort.per_class, seed=evidence.seed)
        wanted = features if rows is None else features[rows]
        return forest_probabilities(forest, wanted, evidence.num_classes).reshape(-1, *shape)

    texture = yield from patiently(grow, evidence.texture)
    place = yield from patiently(grow, evidence.features)
    carried, gap = yield from _carried(evidence, labels, slices)
    if carried is None or gap is None:
        return Parts(texture, place)
    return Parts(texture, place, carried[(slice(None), *where)], np.broadcast_to(gap, labels.shape)[where])


def _carried(
    evidence: Evidence, labels: LabelArray, slices: Sequence[PaintedSlices]
) -> Generator[None, None, tuple[FloatArray | None, FloatArray | None]]:
    """Carry slices along every axis; where axes meet, the one whose paint is nearer weighs more."""
    total: FloatArray | None = None
    weight: FloatArray = np.zeros((1, 1, 1), np.float32)
    nearest: FloatArray = np.full((1, 1, 1), np.inf, np.float32)
    for flows in evidence.flows:
        indices = [i for part in slices if part.axis == flows.axis for i in range(part.start, part.stop)]
        if not indices:
            continue
        maps = yield from patiently(carry_labels, labels, indices, flows, evidence.num_classes)
        gaps = np.abs(np.arange(len(flows))[:, None] - np.asarray(indices)).min(axis=1).astype(np.float32)
        gap = np.moveaxis(gaps[:, None, None], 0, flows.axis)
        near = 1 / (1 + gap)
        total = maps * near if total is None else total + maps * near
        weight, nearest = weight + near, np.minimum(nearest, gap)
    return (total / weight, nearest) if total is not None else (None, None)
