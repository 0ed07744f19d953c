"""Whether a classifier may run in bfloat16 on a processor: on a sample of patches it must score as in float32.

Where a processor multiplies bfloat16 itself, networks run two to three times as fast. What that does to
probabilities depends on the network: the mean difference was 0.0001 with untrained ResNets and 0.006 with a small
network that lives on fine texture. Segmentation masks and exact scores stay float32 in any case.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_medpatch.infer.classify_result import ClassifySettings
from napari_medpatch.infer.level_gate import FEW, LIMIT, sample_scores
from napari_medpatch.infer.precision import native_bfloat16
from napari_medpatch.infer.scoring import PlainScores
from napari_medpatch.io.source import Source

if TYPE_CHECKING:
    from napari_medpatch.infer.patch_scorer import PatchScorer
    from napari_medpatch.models.bundle import Bundle


def may_halve(scorer: "PatchScorer", settings: ClassifySettings, patches: int) -> bool:
    """Whether a comparison is allowed and worth its time.

    Parameters
    ----------
    scorer : PatchScorer
        The classifier in float32.
    settings : ClassifySettings
        Exact runs and a stated precision are left alone.
    patches : int
        How many there are to score.
    """
    return (
        scorer.device.type == "cpu"
        and scorer.precision == "float32"
        and settings.precision == "auto"
        and not settings.exact
        and not settings.mc_dropout
        and isinstance(scorer.method, PlainScores)
        and patches > FEW
        and native_bfloat16(scorer.device)
    )


def agreeing_half(
    source: Source, boxes: npt.NDArray[np.int64], level: int, scorer: "PatchScorer", bundle: "Bundle"
) -> "Generator[int, None, PatchScorer]":
    """Compare a classifier with itself in bfloat16 and return the one to use.

    Parameters
    ----------
    source : Source
        A slide or photograph.
    boxes : ndarray
        ``(N, 4) int64``, all patches in level-0 pixels.
    level : int
        Where the patches are read.
    scorer : PatchScorer
        The classifier in float32.
    bundle : Bundle
        What it was loaded from.

    Yields
    ------
    int
        ``level``, after every batch.

    Returns
    -------
    PatchScorer
        In bfloat16 if the probabilities of the sample differ by at most :data:`LIMIT` on average, else ``scorer``.
    """
    half = scorer.halved(bundle)
    if not half.is_half:
        return scorer
    expected = yield from sample_scores(source, boxes, level, scorer)
    found = yield from sample_scores(source, boxes, level, half)
    return half if float(np.abs(found - expected).mean()) <= LIMIT else scorer
