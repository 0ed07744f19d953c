"""The classical lung model as a runner: the whole working volume in, logits out, no weights."""

from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import BundleError
from napari_medpatch.infer.clean.ball import Ball
from napari_medpatch.infer.lungs.threshold_lungs import FoundLungs, ThresholdSettings, find_lungs
from napari_medpatch.infer.working_grid import FloatArray
from napari_medpatch.models.intensity import check_intensity, intensity_of
from napari_medpatch.patience import patiently, saying, stepping

if TYPE_CHECKING:
    import torch

    from napari_medpatch.infer.precision import Precision
    from napari_medpatch.models.bundle import Bundle

_WHOLE = 1 << 62
_STEEP = 8.4
"""Logit per share of lung around a voxel: 0.95 certain two millimetres inside."""
_CERTAIN = 20.0
"""Logit where the closing ball, not the scan, says where the lung ends."""


class ThresholdRunner:
    """Lungs by threshold and morphology; deterministic, on the processor.

    Parameters
    ----------
    bundle : Bundle
        Its card's ``network`` holds :class:`ThresholdSettings`, its ``spacing`` one edge for all axes.
    device, precision : str
        Not used: there is no network to speed up.
    slice_axis : int, optional
        Not used: volumes only.

    Raises
    ------
    BundleError
        If the card does not fit.
    """

    precision: "Precision" = "float32"

    def __init__(
        self, bundle: "Bundle", *, device: str = "auto", precision: str = "auto", slice_axis: int | None = None
    ) -> None:
        import torch

        card = bundle.card
        if card.task != "segment-3d" or card.num_classes != 2 or card.spacing is None or len(set(card.spacing)) != 1:
            raise BundleError(
                f"Model {card.name} needs the task segment-3d, one class and one spacing in mm for all axes; mend its "
                "config.json."
            )
        self.device = torch.device("cpu")
        self._settings = ThresholdSettings.from_mapping(card.network, card.name)
        self._edge_mm = card.spacing[0]
        if check_intensity(card) != "hu_window":
            raise BundleError(f"Model {card.name} looks at HU and needs the intensity hu_window; mend its config.json.")
        self._intensity = intensity_of(card)

    def block_voxels(self) -> int:
        """Return a number that lets the volume be one block: what is lung shows in the whole only."""
        return _WHOLE

    def outputs(self, batch: FloatArray) -> Generator[float, None, "torch.Tensor"]:
        """Return the logits of ``(1, 1, Z, Y, X)``."""
        # The grid is not cut, so that there is one.
        (block,) = batch
        return (yield from self.logits(block))[None]

    def to_logits(self, outputs: "torch.Tensor") -> "torch.Tensor":
        """Return them as they are."""
        return outputs

    def logits(self, block: FloatArray) -> Generator[float, None, "torch.Tensor"]:
        """Find the lungs of a volume ``(1, Z, Y, X)``, as the card's HU window maps it."""
        import torch

        scaled = (block[0] - np.float32(self._intensity.start)) / np.float32(self._intensity.stretch)
        hu = scaled * np.float32(self._intensity.scale) + np.float32(self._intensity.shift)
        found = yield from stepping(0.0, find_lungs(hu, self._edge_mm, self._settings))
        lung = yield from saying(0.95, patiently(_logit, found, self._edge_mm))
        return torch.from_numpy(np.stack([np.zeros_like(lung), lung]))

    def release(self) -> None:
        """Nothing is held."""


def _logit(found: FoundLungs, edge_mm: float) -> FloatArray:
    """Return a field that crosses 0 at the lungs' border: gently where air ends there, steeply at dense tissue."""
    from scipy.ndimage import gaussian_filter

    share = gaussian_filter(found.lungs.astype(np.float32), 1.0, mode="nearest", truncate=3.0)
    logit: npt.NDArray[np.float32] = (share - np.float32(0.5)) * np.float32(_STEEP)
    # Blurring moves the border of thin parts; the sign is what was found.
    logit = np.where(found.lungs, np.maximum(logit, np.float32(0.1)), np.minimum(logit, np.float32(-0.1)))
    dense = found.lungs & ~found.aerated
    beside = Ball(edge_mm, (edge_mm,) * 3).dilated(dense) & ~found.lungs
    logit[dense] = _CERTAIN
    logit[beside] = -_CERTAIN
    return logit
