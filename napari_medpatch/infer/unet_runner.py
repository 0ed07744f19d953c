"""Our U-Net on its device: a block of pixels in, logits out, in steps that can be stopped."""

from collections.abc import Callable, Generator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from napari_medpatch.infer.allocator import reuse_freed_memory
from napari_medpatch.infer.device import available_memory, free_cached_memory, pick_device
from napari_medpatch.infer.folding import batch_to_slices, slices_to_batch
from napari_medpatch.infer.loading import load_network
from napari_medpatch.infer.precision import Precision, autocast, choose_precision, exact_convolutions
from napari_medpatch.infer.precision_probe import Trial, faster_precision
from napari_medpatch.infer.runner import FloatArray
from napari_medpatch.infer.sweep import Sweep, plan_sweep
from napari_medpatch.models.network import unet_config

if TYPE_CHECKING:
    import torch

    from napari_medpatch.infer.folded_layers import FoldedUNet
    from napari_medpatch.infer.halo import Tiling
    from napari_medpatch.infer.network_stream import NetworkStream
    from napari_medpatch.models.bundle import Bundle

_STEP_MACS = 1.5e10
"""Multiplications per step on a processor: less than a second on one slow core."""
_SWEEP_BYTES = 3 << 30
_CPU_BYTES = 2 << 30
_MOST_VALUES = 1 << 29
"""Of one map at the finest level on an accelerator: the decoder holds two of them side by side, and convolutions of
tensors with 2**31 elements and more need another, slower code. On large devices equal input is cut equally, too."""
_BYTES_PER_CHANNEL = 24
"""Peak of the stepwise pass per voxel and channel of the finest level: three maps of four bytes are alive
at once, deeper levels and slabs add the rest (measured: 20 for blocks of a million voxels)."""
_EAGER_BYTES_PER_CHANNEL = 40


class UNetRunner:
    """A loaded U-Net; a :class:`napari_medpatch.infer.runner.Runner`.

    Parameters
    ----------
    bundle : Bundle
        A segmentation model.
    device : str
        As :func:`napari_medpatch.infer.device.pick_device` takes it.
    precision : str
        ``"auto"`` (float32), ``"float32"``, ``"bfloat16"``, or ``"fast"``: what a trial finds faster.
    slice_axis : int, optional
        A 2D model on a volume takes the slices along this axis as its batch.

    Raises
    ------
    BundleError
        If the model cannot be loaded.
    ResourceError
        If the device or precision does not exist.
    """

    def __init__(
        self, bundle: "Bundle", *, device: str = "auto", precision: str = "auto", slice_axis: int | None = None
    ) -> None:
        import torch

        self.device = pick_device(device)
        self.config = unet_config(bundle.card)
        self.trial: Trial | None = faster_precision(self.config, self.device) if precision == "fast" else None
        self.precision: Precision = (
            self.trial.precision if self.trial is not None else choose_precision(precision, self.device)
        )
        self.slice_axis = slice_axis
        if self.device.type == "cpu":
            reuse_freed_memory()
        layout = torch.channels_last_3d if self.config.dimensions == 3 else torch.channels_last
        self._model = load_network(bundle, self.device).to(memory_format=layout)

    def block_voxels(self) -> int:
        """Return the largest block worth trying.

        On a processor the limit is fixed, unless memory is short, so that equal input is cut equally and
        gives equal output in the window and on the command line.
        """
        free = available_memory(self.device)
        if self.device.type == "cpu":
            return int(min(_CPU_BYTES, free * 0.4) / (_BYTES_PER_CHANNEL * self.config.channels))
        return int(min(_MOST_VALUES, free * 0.6 / _EAGER_BYTES_PER_CHANNEL) / self.config.channels)

    def logits(self, block: FloatArray) -> Generator[float, None, "torch.Tensor"]:
        """Run the network on one block.

        Parameters
        ----------
        block : ndarray
            ``(C, *spatial)`` float32, network input.

        Yields
        ------
        float
            Share of the block done.

        Returns
        -------
        Tensor
            ``(K, *spatial)`` float32 on the device.
        """
        return (yield from self.outputs(block[None]))[0]

    def outputs(self, batch: FloatArray) -> Generator[float, None, "torch.Tensor"]:
        """Run the network on ``(N, C, *spatial)``; see :class:`napari_medpatch.infer.runner.Runner`."""
        import torch

        tensor = torch.from_numpy(np.ascontiguousarray(slices_to_batch(batch, self.slice_axis))).to(self.device)
        layout = torch.channels_last_3d if tensor.ndim == 5 else torch.channels_last
        steps = self._steps(tensor.contiguous(memory_format=layout))
        total, done = self._multiplications(tensor), 0.0
        while True:
            # Entered anew for each step: a context held over a yield would leak into whoever iterates.
            with torch.inference_mode(), exact_convolutions(self.precision), autocast(self.device, self.precision):
                try:
                    done += next(steps)
                except StopIteration as end:
                    return batch_to_slices(end.value, len(batch), self.slice_axis).float()
            yield min(1.0, done / total)

    def sweep(self, tiling: "Tiling") -> Sweep | None:
        """Return how to sweep over a volume in one go, None where blocks are better (on accelerators)."""
        from napari_medpatch.models.unet_layers import UNet

        if self.device.type != "cpu" or not isinstance(self._model, UNet) or self.slice_axis is not None:
            return None
        limit = min(_SWEEP_BYTES, available_memory(self.device) * 0.5)
        return plan_sweep(tiling, self.config, limit, 2 if self.precision == "bfloat16" else 4)

    def stream(
        self, read: Callable[[int, int], FloatArray], size: int, plane: Sequence[int], chunk: int
    ) -> "NetworkStream":
        """Begin a sweep; see :class:`napari_medpatch.infer.network_stream.NetworkStream`."""
        from napari_medpatch.infer.network_stream import NetworkStream

        return NetworkStream(self._folded, read, size, plane, chunk=chunk, macs=_STEP_MACS)

    def to_logits(self, outputs: "torch.Tensor") -> "torch.Tensor":
        """Return the outputs: a U-Net of ours gives logits."""
        return outputs

    def release(self) -> None:
        """Give cached memory back after a failure."""
        free_cached_memory(self.device)

    def _steps(self, batch: "torch.Tensor") -> Generator[float, None, "torch.Tensor"]:
        """Choose small steps on a processor; an accelerator is fast, and wants its work whole."""
        from napari_medpatch.infer.stepwise_layers import folded_steps
        from napari_medpatch.models.unet_layers import UNet

        if self.device.type == "cpu" and isinstance(self._model, UNet):
            return folded_steps(self._folded, batch, _STEP_MACS)
        return self._whole(batch)

    @cached_property
    def _folded(self) -> "FoldedUNet":
        import torch

        from napari_medpatch.infer.folded_layers import fold
        from napari_medpatch.models.unet_layers import UNet

        assert isinstance(self._model, UNet)
        return fold(self._model, torch.bfloat16 if self.precision == "bfloat16" else torch.float32)

    def _whole(self, batch: "torch.Tensor") -> Generator[float, None, "torch.Tensor"]:
        result: torch.Tensor = self._model(batch)
        yield self._multiplications(batch)
        return result

    def _multiplications(self, batch: "torch.Tensor") -> float:
        """Return the multiplications of one pass: each weight once per position of its level."""
        per_position = 0.0
        for name, parameter in self._model.named_parameters():
            if parameter.ndim > 1:
                level = _level(name, self.config.levels)
                per_position += parameter.numel() / 2 ** (level * self.config.dimensions)
        return max(1.0, per_position * batch.shape[0] * batch[0, 0].numel())


def _level(name: str, levels: int) -> int:
    """Return the level at whose input resolution a parameter works."""
    part, _, rest = name.partition(".")
    index = int(rest.split(".")[0]) if part != "head" else 0
    # Transposed convolution i leads from level i + 1 up to level i.
    return min(index + 1, levels - 1) if part == "upsample" else index
