"""Which level of a slide gives the scores that level 0 gives.

Coarser levels are many times cheaper to read, but they were reduced with another filter and compressed once
more. How much a network minds cannot be known in advance: on the same slides the mean difference of
probabilities was 0.002 with one network and 0.05 with another. So a sample of patches is scored both ways.
"""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_medpatch.infer.feed import PatchReader
from napari_medpatch.io.source import Source

if TYPE_CHECKING:
    from napari_medpatch.infer.patch_scorer import PatchScorer

SAMPLE = 16
"""Patches that are scored at several levels, evenly spread over the order of visit."""

FEW = 8 * SAMPLE
"""With no more patches than these, reading level 0 costs less than the comparison."""

LIMIT = 0.0025
"""Largest mean difference of the sample's probabilities: half of what the fast path may differ."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """The level that was chosen."""

    level: int


def coarser_levels(source: Source, downsample: float) -> list[int]:
    """Return the levels from which patches may be read instead of level 0, coarsest first.

    Parameters
    ----------
    source : Source
        A slide or photograph.
    downsample : float
        Level-0 pixels per pixel that the model wants; levels are at least as fine. Levels that are computed
        from finer ones save nothing and are left out.
    """
    computed = getattr(source, "synthetic", (False,) * len(source.levels))
    fine = [
        index
        for index, level in enumerate(source.levels)
        if index > 0 and not computed[index] and max(level.downsample) <= downsample * (1 + 1e-6)
    ]
    return fine[::-1]


def agreeing_level(
    source: Source, boxes: npt.NDArray[np.int64], levels: Sequence[int], scorer: "PatchScorer"
) -> Generator[int | Agreed, None, None]:
    """Find the first of ``levels`` at which patches score as at level 0.

    The choice depends on the slide, the patches and the network only, so that a run that goes on reads what
    the stopped one read.

    Parameters
    ----------
    source : Source
        A slide or photograph.
    boxes : ndarray
        ``(N, 4) int64``, all patches in level-0 pixels.
    levels : sequence of int
        In the order of trial.
    scorer : PatchScorer
        The classifier.

    Yields
    ------
    int or Agreed
        The level that is being looked at, after every batch; at the end the choice, level 0 if no other agrees
        or there are too few patches (:data:`FEW`).
    """
    if not levels or len(boxes) <= FEW:
        yield Agreed(0)
        return
    expected = yield from sample_scores(source, boxes, 0, scorer)
    for level in levels:
        found = yield from sample_scores(source, boxes, level, scorer)
        if float(np.abs(found - expected).mean()) <= LIMIT:
            yield Agreed(level)
            return
    yield Agreed(0)


def sample_scores(
    source: Source, boxes: npt.NDArray[np.int64], level: int, scorer: "PatchScorer"
) -> Generator[int, None, npt.NDArray[np.float32]]:
    """Score an evenly spread sample of patches.

    Parameters
    ----------
    source, boxes, scorer
        As :func:`agreeing_level` takes them.
    level : int
        Where the pixels are read.

    Yields
    ------
    int
        ``level``, after every batch.

    Returns
    -------
    ndarray
        ``(N, C) float32``, probabilities of at most :data:`SAMPLE` patches.
    """
    sample = np.unique(np.linspace(0, len(boxes) - 1, SAMPLE).round().astype(np.int64))
    reader = PatchReader(source, boxes, level, black_outside=True, target=scorer.input_shape)
    parts = []
    with (
        closing(scorer.feed([np.array([item]) for item in sample], reader.load)) as feed,
        closing(scorer.stream(feed)) as scored,
    ):
        for _, values in scored:
            parts.append(values[:, : scorer.card.num_classes])
            yield level
    return np.concatenate(parts)
