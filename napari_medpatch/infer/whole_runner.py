"""A segmentation network that is run whole, because nobody here knows its layers."""

import math
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_medpatch.errors import BundleError
from napari_medpatch.infer.device import (
    available_memory,
    check_device_works,
    free_cached_memory,
    is_out_of_memory,
    pick_device,
)
from napari_medpatch.infer.folding import batch_to_slices, slices_to_batch
from napari_medpatch.infer.foreign_outputs import check_output, main_output, to_logits
from napari_medpatch.infer.loading import load_network
from napari_medpatch.infer.network_axes import NetworkAxes
from napari_medpatch.infer.precision import choose_precision
from napari_medpatch.infer.runner import FloatArray
from napari_medpatch.infer.whole_pass import whole_pass
from napari_medpatch.models.network_facts import network_facts
from napari_medpatch.patience import saying

if TYPE_CHECKING:
    import torch

    from napari_medpatch.models.bundle import Bundle

_BYTES_PER_VOXEL = 1500
"""A guess for networks that nobody measured: some sixty maps of four bytes at the finest level, and copies."""
_CPU_BYTES = 2 << 30
_MOST_VOXELS = 1 << 25
"""Sixty-four maps of more would have 2**31 elements, for which convolutions need another, slower code."""
_PASS_VOXELS = {"cpu": 1_000_000, "cuda": 8_000_000}
"""Most voxels of slices in one pass, which cannot be stopped."""
_REFUSALS = (RuntimeError, TypeError, ValueError, AssertionError, IndexError, NotImplementedError)
"""What networks raise at an input that they do not take."""


class WholeRunner:
    """A loaded network of any kind, from elsewhere or a U-Net that cannot be tiled.

    It is a :class:`napari_medpatch.infer.runner.Runner`.

    Parameters
    ----------
    bundle : Bundle
        A segmentation model.
    device, precision : str
        As :func:`napari_medpatch.infer.runner.make_runner` takes them.
    slice_axis : int, optional
        A 2D model on a volume takes the slices along this axis as its batch.

    Raises
    ------
    BundleError
        If the model cannot be loaded, or takes one shape only that is not its window.
    ResourceError
        If the device or precision does not exist.
    """

    def __init__(
        self, bundle: "Bundle", *, device: str = "auto", precision: str = "auto", slice_axis: int | None = None
    ) -> None:
        self.device = pick_device(device)
        self.precision = choose_precision(precision, self.device)
        self.slice_axis = slice_axis
        self._card = bundle.card
        self._facts = network_facts(bundle.card)
        self._axes = NetworkAxes.of(self._facts, bundle.card.dimensions, slice_axis)
        self._model = load_network(bundle, self.device)
        self._dtype = next((p.dtype for p in self._model.parameters() if p.is_floating_point()), None)
        self._most = self._check_fixed_shape()
        # What tensor cores want; on a processor, networks that nobody measured keep torch's own order.
        self._channels_last = self.device.type == "cuda" and not self._axes.channels_last

    def block_voxels(self) -> int:
        """Return the largest block worth trying; a fixed one on a processor, see ``UNetRunner.block_voxels``."""
        free = available_memory(self.device)
        size = min(_CPU_BYTES, free * 0.4) if self.device.type == "cpu" else free * 0.6
        return min(_MOST_VOXELS, int(size / _BYTES_PER_VOXEL))

    def logits(self, block: FloatArray) -> Generator[float, None, "torch.Tensor"]:
        """Run the network on one block; see :class:`napari_medpatch.infer.runner.Runner`."""
        return self.to_logits((yield from self.outputs(block[None]))[0])

    def outputs(self, batch: FloatArray) -> Generator[float, None, "torch.Tensor"]:
        """Run the network on ``(N, C, *spatial)``; see :class:`napari_medpatch.infer.runner.Runner`."""
        import torch

        folded = slices_to_batch(batch, self.slice_axis)
        at_once = max(1, _PASS_VOXELS.get(self.device.type, 2_000_000) // math.prod(folded.shape[2:]))
        at_once = min(at_once, self._most or at_once)
        parts: list[torch.Tensor] = []
        for start in range(0, len(folded), at_once):
            steps = self._run(np.ascontiguousarray(folded[start : start + at_once]))
            parts.append((yield from saying(start / len(folded), steps)))
            yield min(1.0, (start + at_once) / len(folded))
        return batch_to_slices(torch.cat(parts) if len(parts) > 1 else parts[0], len(batch), self.slice_axis)

    def to_logits(self, outputs: "torch.Tensor") -> "torch.Tensor":
        """Turn ``(K, *spatial)`` outputs into logits, background first."""
        return to_logits(outputs, self._facts)

    def release(self) -> None:
        """Give cached memory back after a failure."""
        free_cached_memory(self.device)

    def _run(self, batch: FloatArray) -> Generator[None, None, "torch.Tensor"]:
        """Run the network once on ``(N, C, *spatial)``."""
        import torch

        tensor = self._axes.to_network(torch.from_numpy(batch).to(self.device)).contiguous()
        tensor = tensor.to(self._dtype) if self._dtype is not None else tensor
        try:
            answer = yield from self._answer(tensor)
        except _REFUSALS as error:
            if is_out_of_memory(error):
                raise
            raise self._told(error, tuple(tensor.shape)) from error
        output = main_output(answer, tensor.ndim - 2, self._facts, self._card.name)
        output = self._axes.to_array(output)
        check_output(output, batch.shape, self._channels, self._card)
        return output.float()

    def _answer(self, tensor: "torch.Tensor") -> Generator[None, None, Any]:
        """Run the network, in the memory order that is fastest if it takes that."""
        import torch

        if self._channels_last:
            layout = torch.channels_last_3d if tensor.ndim == 5 else torch.channels_last
            try:
                return (yield from whole_pass(self._model, tensor.contiguous(memory_format=layout), self.precision))
            except _REFUSALS as error:
                if is_out_of_memory(error):
                    raise
                check_device_works(error, self.device)
                # A network that views its maps as rows takes torch's own order only.
                self._channels_last = False
        return (yield from whole_pass(self._model, tensor, self.precision))

    @property
    def _channels(self) -> int:
        return self._card.num_classes - (0 if self._facts.background else 1)

    def _told(self, error: Exception, shape: tuple[int, ...]) -> Exception:
        """Return a sentence for what a network raised; failing devices are told elsewhere."""
        check_device_works(error, self.device)
        # TorchScript puts the reason last, after its own traceback.
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = next((line for line in reversed(lines) if "rror" in line), lines[0] if lines else type(error).__name__)
        size = " × ".join(map(str, shape[1:]))
        return BundleError(
            f"Model {self._card.name} does not take an input of {size} ({reason[:200].rstrip('.')}); check "
            "in_channels, window and multiple in its config.json."
        )

    def _check_fixed_shape(self) -> int | None:
        """Return how many images an exported program takes at once, None for any number; refuse other windows."""
        fixed = getattr(self._model, "input_shape", None)
        if fixed is None:
            return None
        edges = fixed[1:-1] if self._axes.channels_last else fixed[2:]
        window = self._facts.window_for(self._card.dimensions)
        wanted = list(window)
        for edge, axis in zip(edges, self._axes.order, strict=True):
            wanted[axis] = edge if edge is not None else wanted[axis]
        if tuple(wanted) != window:
            raise BundleError(
                f"Model {self._card.name} takes no other shape than the one it was exported with; write "
                f'"window": {wanted} into the network of its config.json.'
            )
        return fixed[0] if isinstance(fixed[0], int) else None
