"""What a segmentation job asks of a loaded network, whatever the network is."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from napari_medpatch.models.card import THRESHOLD
from napari_medpatch.models.network import unet_config

if TYPE_CHECKING:
    import torch

    from napari_medpatch.infer.precision import Precision
    from napari_medpatch.models.bundle import Bundle

FloatArray = npt.NDArray[np.float32]


class Runner(Protocol):
    """A network on its device."""

    device: "torch.device"
    precision: "Precision"

    def block_voxels(self) -> int:
        """Return the largest block worth trying."""

    def outputs(self, batch: FloatArray) -> Generator[float, None, "torch.Tensor"]:
        """Run the network on ``(N, C, *spatial)`` in steps, yielding the share done.

        Returns ``(N, K, *spatial)`` float32 on the device, as the network gives it.
        """

    def to_logits(self, outputs: "torch.Tensor") -> "torch.Tensor":
        """Turn ``(K, *spatial)`` outputs into logits, one per class of the card, background first."""

    def logits(self, block: FloatArray) -> Generator[float, None, "torch.Tensor"]:
        """Run the network on one block ``(C, *spatial)`` and return its logits."""

    def release(self) -> None:
        """Give cached memory back after a failure."""


def make_runner(
    bundle: "Bundle", *, device: str = "auto", precision: str = "auto", slice_axis: int | None = None
) -> Runner:
    """Load a segmentation model.

    Parameters
    ----------
    bundle : Bundle
        Our U-Net or a network from elsewhere.
    device : str
        As :func:`napari_medpatch.infer.device.pick_device` takes it.
    precision : str
        ``"auto"`` (float32), ``"float32"`` or ``"bfloat16"``.
    slice_axis : int, optional
        A 2D model on a volume takes the slices along this axis as its batch.

    Raises
    ------
    BundleError
        If the model cannot be loaded.
    ResourceError
        If the device or precision does not exist.
    """
    if bundle.card.architecture == THRESHOLD:
        from napari_medpatch.infer.threshold_runner import ThresholdRunner

        return ThresholdRunner(bundle)
    from napari_medpatch.infer.unet_runner import UNetRunner
    from napari_medpatch.infer.whole_runner import WholeRunner

    known = bundle.card.architecture == "unet" and unet_config(bundle.card).tileable
    kind = UNetRunner if known else WholeRunner
    return kind(bundle, device=device, precision=precision, slice_axis=slice_axis)
