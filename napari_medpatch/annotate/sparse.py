"""Sparse labels: what somebody painted on an image, most of which is unlabelled.

Values are 0 unlabelled, 1 background, 2… classes. Masks (predictions, exports) are 0 background, 1…
classes, so a mask value is the label value minus one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import GeometryError, LabelsError
from napari_medpatch.io.class_colours import PALETTE
from napari_medpatch.io.labels_file import labels_downsample
from napari_medpatch.io.source import Source
from napari_medpatch.io.wording import size_text

LabelArray = npt.NDArray[np.uint8]


def colour_of(value: int) -> str:
    """Return the colour of a label value (1 background, 2… classes) as ``#rrggbb``; classes repeat after seven."""
    if value <= 1:
        return PALETTE[0]
    return PALETTE[1 + (value - 2) % (len(PALETTE) - 1)]


@dataclass(frozen=True, slots=True, eq=False)
class SparseLabels:
    """Painted labels with the names of their classes.

    Parameters
    ----------
    labels : ndarray
        ``(Y, X)`` or ``(Z, Y, X)`` uint8; on the grid of its image, or on a coarser one of the whole slide.
        May be the live array of a viewer: a job copies it before it begins.
    class_names : tuple of str
        Names of the values 1, 2, …; the first is the background.
    colours : tuple of str, optional
        ``#rrggbb`` of the values 1, 2, …; colour-blind-safe by default.
    origins : ndarray, optional
        uint8 of the same shape, where each label comes from: 0 unlabelled, 1 painted, 2 interpolated, 3 predicted;
        see :mod:`napari_medpatch.annotate.origins`. Without it everything was painted.

    Raises
    ------
    LabelsError
        If the array is not uint8, names are missing, empty or repeated, or the origins do not fit.
    """

    labels: LabelArray
    class_names: tuple[str, ...] = ("background", "object")
    colours: tuple[str, ...] = ()
    origins: LabelArray | None = None

    def __post_init__(self) -> None:
        if self.labels.dtype != np.uint8 or self.labels.ndim not in (2, 3):
            raise LabelsError(
                f"Labels must be uint8 with two or three axes, got {self.labels.dtype} of shape "
                f"{size_text(self.labels.shape)}; make a new label layer."
            )
        origins = self.origins
        if origins is not None and (origins.dtype != np.uint8 or origins.shape != self.labels.shape):
            raise LabelsError(
                f"The origins are {origins.dtype} of shape {size_text(origins.shape)} and the labels uint8 "
                f"of {size_text(self.labels.shape)}; they need the same."
            )
        names = tuple(str(name).strip() for name in self.class_names)
        if len(names) < 2 or not all(names) or len(set(names)) < len(names) or len(names) > 254:
            raise LabelsError(
                f"Class names {list(self.class_names)} must be two or more different ones, the background first."
            )
        object.__setattr__(self, "class_names", names)
        given = tuple(self.colours)[: len(names)]
        rest = tuple(colour_of(value) for value in range(len(given) + 1, len(names) + 1))
        object.__setattr__(self, "colours", given + rest)

    @classmethod
    def from_mask(
        cls,
        mask: npt.NDArray[np.integer],
        slices: Sequence[int] | Mapping[int, Iterable[int]],
        class_names: Sequence[str] = ("background", "object"),
    ) -> "SparseLabels":
        """Label whole slices from a mask.

        Parameters
        ----------
        mask : ndarray
            0 background, 1… classes.
        slices : sequence of int, or mapping
            Indices along the first axis, or ``{axis: indices}``.
        class_names : sequence of str
            Background first.
        """
        chosen = slices if isinstance(slices, Mapping) else {0: slices}
        labels = np.zeros(mask.shape, np.uint8)
        for axis, indices in chosen.items():
            for index in indices:
                at = (slice(None),) * axis + (index,)
                labels[at] = mask[at] + 1
        return cls(labels, tuple(class_names))

    @property
    def num_classes(self) -> int:
        """Classes, background included."""
        return len(self.class_names)

    @property
    def foreground(self) -> tuple[str, ...]:
        """Names of the mask values 1, 2, …."""
        return self.class_names[1:]

    def snapshot(self) -> "SparseLabels":
        """Return a copy that painting does not change."""
        origins = None if self.origins is None else self.origins.copy()
        return replace(self, labels=self.labels.copy(), origins=origins)

    def painted_only(self) -> "SparseLabels":
        """Return the labels without what was interpolated or predicted."""
        if self.origins is None:
            return self
        return replace(self, labels=np.where(self.origins > 1, 0, self.labels).astype(np.uint8), origins=None)

    def accepted_only(self) -> "SparseLabels":
        """Return what was interpolated or predicted, without what was painted."""
        if self.origins is None:
            return replace(self, labels=np.zeros_like(self.labels))
        return replace(self, labels=np.where(self.origins > 1, self.labels, 0).astype(np.uint8))

    def to_mask(self) -> LabelArray:
        """Return the mask of what is painted; unlabelled is background."""
        return np.where(self.labels > 0, self.labels - 1, 0).astype(np.uint8)

    def fractions(self) -> dict[str, float]:
        """Return the share of all pixels that is painted with each class, by name."""
        counts = value_counts(self.labels)
        return {name: float(counts[n] / self.labels.size) for n, name in enumerate(self.class_names, start=1)}

    def slices(self, axis: int, at_least: float = 0.0) -> list[int]:
        """Return the slices along an axis that are painted.

        Parameters
        ----------
        axis : int
            Of the array.
        at_least : float
            Share of a slice's pixels that must be painted; any paint counts at 0.
        """
        others = tuple(a for a in range(self.labels.ndim) if a != axis)
        counts = np.count_nonzero(self.labels, axis=others)
        area = self.labels.size / self.labels.shape[axis]
        return [int(i) for i in np.flatnonzero((counts > 0) & (counts >= at_least * area))]

    def check(self, source: Source | None = None) -> None:
        """Refuse labels that nothing can be learnt from.

        Parameters
        ----------
        source : Source, optional
            Image that they belong to.

        Raises
        ------
        GeometryError
            If the labels do not lie on the image's grid.
        LabelsError
            If nothing is painted, only one class is, or a value has no class.
        """
        counts = self.check_values(source)
        painted = [name for n, name in enumerate(self.class_names, start=1) if counts[n]]
        if not painted:
            raise LabelsError("Nothing is painted yet; paint some background and some of each class, then try again.")
        if len(painted) == 1:
            missing = [name for name in self.class_names if name not in painted]
            raise LabelsError(
                f"Only {painted[0]!r} is painted; also paint {' or '.join(repr(name) for name in missing)}, "
                "because a model learns from the difference."
            )

    def check_values(self, source: Source | None = None) -> npt.NDArray[np.int64]:
        """Refuse labels on another grid and values without a class; return how often each value occurs.

        Raises
        ------
        GeometryError, LabelsError
            If that is so.
        """
        if source is not None:
            _check_grid(self.labels, source)
        counts = value_counts(self.labels)
        beyond = np.flatnonzero(counts[self.num_classes + 1 :])
        if beyond.size:
            value = int(beyond[0]) + self.num_classes + 1
            raise LabelsError(
                f"The labels hold the value {value} but there are only {self.num_classes} classes "
                f"({', '.join(self.class_names)}); add a class or erase it."
            )
        return counts


def value_counts(labels: LabelArray) -> npt.NDArray[np.int64]:
    """Return how often each value 0…255 occurs, slice by slice, because counting widens to eight bytes."""
    counts = np.zeros(256, np.int64)
    for part in labels:
        counts += np.bincount(part.reshape(-1), minlength=256)
    return counts


def _check_grid(labels: LabelArray, source: Source) -> None:
    """Refuse another grid than the source's; slides take coarser rasters of the whole."""
    full = source.levels[0].shape
    if labels.shape == full:
        return
    if source.kind == "slide" and labels.ndim == 2:
        labels_downsample(labels, source)
        return
    raise GeometryError(
        f"The labels have the shape {size_text(labels.shape)} and {source.path.name} has {size_text(full)}; "
        "paint on a label layer that was made for this image."
    )
