"""Interpolating painted labels, as a job of the window."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.events import Finished, Job

if TYPE_CHECKING:
    from napari_medpatch.annotate.interpolate import InterpolateSettings, InterpolationResult
    from napari_medpatch.io.source import Source
    from napari_medpatch.plugin.class_list import Colour


@dataclass(slots=True)
class Proposed:
    """A proposal and the labels that it belongs to.

    Parameters
    ----------
    result : InterpolationResult
        The proposal.
    counts : tuple of int
        Voxels of each label value, from 0, as of the labels that were interpolated, and later as of what was
        accepted of the proposal.
    """

    result: "InterpolationResult"
    counts: tuple[int, ...]

    def counts_after(self, accepted: "np.ndarray[Any, Any]") -> tuple[int, ...]:
        """Return the counts once some unlabelled voxels took the labels of an array, and go on from there."""
        more = np.bincount(accepted[accepted > 0], minlength=len(self.counts))
        more[0] = -more.sum()
        self.counts = tuple((np.asarray(self.counts) + more).tolist())
        return self.counts

    def in_words(self) -> str:
        """Return what is proposed, in a sentence."""
        from napari_medpatch.annotate.painted_planes import AXES

        result = self.result
        filled = ", ".join(f"{name} {count:,}" for name, count in result.voxels.items())
        return f"Proposed between {len(result.slices)} {AXES[result.axis]} slices, voxels: {filled}."


def proposing(
    source: "Source",
    strokes: "np.ndarray[Any, Any]",
    names: Sequence[str],
    colours: Sequence["Colour"],
    settings: "InterpolateSettings",
) -> Job:
    """Interpolate labels, as a job; its result is a :class:`Proposed`.

    Parameters
    ----------
    source : Source
        The image.
    strokes : ndarray
        A copy of the labels.
    names, colours : sequence
        Of label values 1, 2, ….
    settings : InterpolateSettings
        Axis, method, classes.
    """
    from napari_medpatch.annotate.interpolate import interpolate
    from napari_medpatch.annotate.sparse import value_counts
    from napari_medpatch.plugin.strokes import sparse

    for event in interpolate(source, sparse(strokes, names, colours), settings):
        if isinstance(event, Finished):
            yield Finished(Proposed(event.result, tuple(value_counts(strokes).tolist())))
        else:
            yield event
