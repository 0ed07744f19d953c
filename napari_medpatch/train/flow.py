"""Carry labelled slices through a volume along the optical flow between neighbouring slices.

TV-L1 flow (Zach, Pock & Bischof 2007, scikit-image's ``optical_flow_tvl1``) warps the signed distance of
each labelled slice to the next one, forwards and backwards; where two labelled slices meet, the nearer one
weighs more.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from napari_medpatch.annotate.signed_distance import nearest_label, signed_distance
from napari_medpatch.annotate.sparse import LabelArray
from napari_medpatch.train.features import FloatArray

# On 1.5 Mvoxel CTs one warp of five iterations was as good as three, and three times as fast.
_FLOW = {"num_warp": 1, "num_iter": 5, "attachment": 20}
_FAR = 20.0
_SOFTNESS = 1.5
_SMALLEST_SLICE = 16


class SliceFlows:
    """Flow between the slices of a volume along one axis.

    Parameters
    ----------
    image : ndarray
        ``(Z, Y, X)`` float32, 0…1 over the intensities that matter.
    axis : int
        Across which slices follow each other.
    """

    def __init__(self, image: FloatArray, axis: int) -> None:
        self.axis = axis
        self._slices = np.ascontiguousarray(np.moveaxis(image, axis, 0))
        self._flows: dict[tuple[int, int], FloatArray] = {}

    @staticmethod
    def possible(shape: Sequence[int], axis: int) -> bool:
        """Whether slices across an axis are large enough for a flow."""
        return min(n for a, n in enumerate(shape) if a != axis) >= _SMALLEST_SLICE

    def __len__(self) -> int:
        return len(self._slices)

    def measure(self, index: int) -> None:
        """Measure the flow between slice ``index`` and the next, both ways."""
        from skimage.registration import optical_flow_tvl1

        for here, there in ((index, index + 1), (index + 1, index)):
            flow = optical_flow_tvl1(self._slices[here], self._slices[there], **_FLOW)
            self._flows[here, there] = np.asarray(flow, np.float32)

    def warp(self, maps: FloatArray, there: int, here: int) -> FloatArray:
        """Return maps ``(C, Y, X)`` of slice ``there`` as they lie in its neighbour ``here``."""
        from scipy.ndimage import map_coordinates

        at = np.indices(maps.shape[1:], dtype=np.float32) + self._flows[here, there]
        return np.stack([map_coordinates(part, at, order=1, mode="nearest") for part in maps])


def carry_labels(labels: LabelArray, slices: Sequence[int], flows: SliceFlows, num_classes: int) -> FloatArray:
    """Return class probabilities everywhere from labelled slices.

    Parameters
    ----------
    labels : ndarray
        ``(Z, Y, X)`` sparse labels.
    slices : sequence of int
        Indices of the labelled slices along ``flows.axis``; unlabelled pixels in them take the label of
        the nearest labelled one.
    flows : SliceFlows
        All flows measured.
    num_classes : int
        Classes, background included.

    Returns
    -------
    ndarray
        ``(num_classes, Z, Y, X)`` float32.
    """
    planes = np.moveaxis(labels, flows.axis, 0)
    distance = np.zeros((num_classes, *planes.shape), np.float32)
    weight = np.zeros(len(planes), np.float32)
    ordered = sorted(slices)
    for place, index in enumerate(ordered):
        own = _signed_distances(planes[index], num_classes)
        distance[:, index], weight[index] = own, 1
        before = ordered[place - 1] if place else -1
        after = ordered[place + 1] if place + 1 < len(ordered) else len(planes)
        for step, end in ((1, after), (-1, before)):
            maps = own
            for here in range(index + step, end, step):
                maps = flows.warp(maps, here - step, here)
                distance[:, here] += maps / abs(here - index)
                weight[here] += 1 / abs(here - index)
    distance /= weight[:, None, None]
    return np.moveaxis(_softmax(distance), 1, flows.axis + 1)


def _signed_distances(plane: LabelArray, num_classes: int) -> FloatArray:
    """Return each class's distance to its border, positive inside, at most 20 pixels."""
    whole = nearest_label(plane)
    return np.stack([signed_distance(whole == value, far=_FAR) for value in range(1, num_classes + 1)])


def _softmax(distance: FloatArray) -> FloatArray:
    powers = np.exp((distance - distance.max(axis=0)) / np.float32(_SOFTNESS))
    result: npt.NDArray[np.float32] = powers / powers.sum(axis=0)
    return result
