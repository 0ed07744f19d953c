"""How much of the network and how much of the training-free estimate the mask is made of."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_medpatch.annotate.sparse import LabelArray
from napari_medpatch.train.features import FloatArray
from napari_medpatch.train.prior import Prior
from napari_medpatch.train.tally import Tally

_SHARES = (0.0, 0.5, 1.0)
_CLEAR_GAIN = 0.005
_TRUSTED_IOU = 0.7
"""What the estimate is taken to reach when nothing could be held out."""


@dataclass(frozen=True, slots=True)
class Blend:
    """A share and what it is based on.

    Parameters
    ----------
    network : float
        Share of the network, 0…1; the estimate has the rest.
    tally : Tally or None
        Overlap of the blend with paint that neither had seen.
    network_tally : Tally or None
        The network's alone.
    """

    network: float
    tally: Tally | None = None
    network_tally: Tally | None = None

    def apply(self, network: FloatArray, estimate: FloatArray | None) -> FloatArray:
        """Return the weighted mean."""
        if estimate is None:
            return network
        share = np.float32(self.network)
        return np.asarray(share * network + (1 - share) * estimate, np.float32)


def first_blend(prior: Prior | None, dimensions: int) -> Blend:
    """Return the blend before the network could be scored.

    In a volume a network that was trained for a minute is worse than the estimate on everything but large
    organs; in a picture, where patches are cheap and places mean nothing, both are worth the same.
    """
    if prior is None:
        return Blend(1.0)
    return Blend(0.0 if dimensions == 3 else 0.5)


def blend_by_fold(network: FloatArray, estimate: FloatArray, labels: LabelArray, held: npt.NDArray[np.bool_]) -> Blend:
    """Return the blend that does best on held-out paint; the network must win clearly.

    Parameters
    ----------
    network, estimate : ndarray
        ``(C, *spatial)`` float32 probabilities, both made without the held-out paint.
    labels : ndarray
        Sparse labels.
    held : ndarray of bool
        The held-out paint.
    """
    true, tallies = labels[held] - 1, {}
    for share in _SHARES:
        tallies[share] = Tally(len(network))
        tallies[share].add(Blend(share).apply(network[:, held], estimate[:, held]).argmax(axis=0), true)
    best = max(_SHARES, key=lambda share: tallies[share].iou)
    if tallies[best].iou < tallies[0.0].iou + _CLEAR_GAIN:
        best = 0.0
    return Blend(best, tallies[best], tallies[1.0])


def blend_by_base(network: FloatArray, prior: Prior, labels: LabelArray) -> Blend:
    """Return the blend for a network that comes with training, from its score on paint it has never seen."""
    tally = Tally(len(network))
    painted = labels > 0
    tally.add(network[:, painted].argmax(axis=0), labels[painted] - 1)
    rival = prior.choice.tally.iou if prior.choice.folds else _TRUSTED_IOU
    return Blend(0.5 if tally.iou >= rival - 0.02 else 0.0, None, tally)
