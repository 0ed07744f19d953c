"""One device, or one thread of the processor, that scores batches."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import BundleError, ResourceError
from napari_medpatch.infer.device import check_device_works, free_cached_memory, is_out_of_memory
from napari_medpatch.infer.feed import Batch, Pixels
from napari_medpatch.infer.precision import Precision, autocast, exact_convolutions
from napari_medpatch.infer.scoring import Keys, ScoringMethod
from napari_medpatch.infer.torch_threads import torch_threads
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.preprocess import input_shape, normalise_patches, resize_like_pil
from napari_medpatch.models.speed import run_steadily

if TYPE_CHECKING:
    import torch
    from torch import nn


class BatchSize:
    """The number of patches per pass, which lanes share and lower when memory runs out."""

    def __init__(self, value: int) -> None:
        self.value = value
        self._lock = threading.Lock()

    def halve(self, failed: int) -> None:
        """Halve the size that failed, unless another lane did so already."""
        with self._lock:
            if self.value >= failed:
                self.value = max(1, failed // 2)


class DeviceLane:
    """A network on its device; a :class:`napari_medpatch.infer.lanes.Lane`.

    Parameters
    ----------
    model : torch.nn.Module
        The network, on ``device``; lanes of one processor share it.
    device : torch.device
        Where it runs.
    card : ModelCard
        What it expects.
    method : ScoringMethod
        How logits become scores.
    identify : callable
        From a batch to the ``(N, 2) int64`` keys of its patches.
    size : BatchSize
        Shared by all lanes.
    precision : str
        ``"float32"`` or ``"bfloat16"``.
    threads : int
        Threads of torch in this lane; 0 leaves them.
    fill : bool
        Let the network see batches of one size only, the last one filled up: nothing is compiled or chosen
        anew for it, and a score does not depend on how patches fell into batches.
    """

    def __init__(
        self,
        model: "nn.Module",
        device: "torch.device",
        card: ModelCard,
        method: ScoringMethod,
        identify: Callable[[Batch], Keys],
        size: BatchSize,
        *,
        precision: Precision = "float32",
        threads: int = 0,
        fill: bool = True,
    ) -> None:
        self.model, self.device, self.card, self.method = model, device, card, method
        self.depth = 0 if device.type == "cpu" else 1
        self._identify, self._size, self._precision = identify, size, precision
        self._threads, self._fill = threads, fill
        self._copies: torch.cuda.Stream | None = None

    def active(self) -> AbstractContextManager[object]:
        """Return the context of the lane's thread."""
        import torch

        if self.device.type == "cuda":
            return torch.cuda.device(self.device)
        return torch_threads(self._threads) if self._threads else nullcontext()

    def launch(self, batch: Batch) -> "torch.Tensor":
        """Run the network; halves the batch as often as memory demands.

        Raises
        ------
        ResourceError
            If memory runs out even for one patch, or the device fails.
        """
        import torch

        keys = self._identify(batch)
        while True:
            size = self._size.value
            parts = [slice(start, start + size) for start in range(0, len(keys), size)]
            try:
                return torch.cat([self._scores(batch.pixels[part], keys[part]) for part in parts])
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    check_device_works(error, self.device)
                    raise
            # Outside the handler the failed pass's tensors are free.
            if size == 1:
                raise ResourceError(
                    f"Memory ran out on {self.device} for a single patch of {self.card.name}; "
                    "close other programs, choose another device or a smaller model."
                )
            free_cached_memory(self.device)
            self._size.halve(min(size, len(keys)) if not self._fill else size)

    def fetch(self, scores: "torch.Tensor") -> npt.NDArray[np.float32]:
        """Wait for the scores of a batch."""
        try:
            fetched: npt.NDArray[np.float32] = scores.cpu().numpy()
        except RuntimeError as error:
            check_device_works(error, self.device)
            raise
        return fetched

    def _scores(self, pixels: Pixels, keys: Keys) -> "torch.Tensor":
        import torch

        with torch.inference_mode():
            return self.method(self.forward, self._sent(pixels), keys)

    def forward(self, patches: "torch.Tensor") -> "torch.Tensor":
        """Return float32 logits of uint8 ``(N, Y, X, 3)`` patches, or of prepared float ``(N, 3, Y, X)`` ones."""
        import torch

        if not self._fill:
            return self._logits(patches)
        size = self._size.value
        logits = [self._logits(_filled(patches[start : start + size], size)) for start in range(0, len(patches), size)]
        return torch.cat(logits)[: len(patches)]

    def _logits(self, patches: "torch.Tensor") -> "torch.Tensor":
        with exact_convolutions(self._precision), autocast(self.device, self._precision):
            logits = run_steadily(self.model, self.prepared(patches)).float()
        if logits.ndim != 2 or logits.shape[1] != self.method.columns:
            raise BundleError(
                f"Model {self.card.name} names {self.card.num_classes} classes but gives an output of shape "
                f"{tuple(logits.shape)}; its config.json does not fit its weights."
            )
        return logits

    def _sent(self, pixels: Pixels) -> "torch.Tensor":
        """Copy pixels to the device, beside what it computes."""
        import torch

        tensor = torch.from_numpy(np.ascontiguousarray(pixels))
        if self.device.type != "cuda":
            return tensor.to(self.device, non_blocking=True)
        if self._copies is None:
            self._copies = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        pinned = tensor if tensor.is_pinned() else tensor.pin_memory()
        with torch.cuda.stream(self._copies):
            sent = pinned.to(self.device, non_blocking=True)
        here = torch.cuda.current_stream(self.device)
        here.wait_stream(self._copies)
        sent.record_stream(here)
        return sent

    def prepared(self, patches: "torch.Tensor") -> "torch.Tensor":
        """Resize and normalise bytes on the device; float input is ready already."""
        import torch

        if patches.dtype != torch.uint8:
            return patches
        return normalise_patches(squared(patches, self.card), self.card)


def squared(patches: "torch.Tensor", card: ModelCard) -> "torch.Tensor":
    """Undo pixels that are not square: the patch is square in µm. ``(N, Y, X, 3)`` in and out."""
    height, width = int(patches.shape[1]), int(patches.shape[2])
    if height == width:
        return patches
    shape = input_shape(card, (height, height))
    return resize_like_pil(patches.permute(0, 3, 1, 2), shape).permute(0, 2, 3, 1)


def _filled(patches: "torch.Tensor", size: int) -> "torch.Tensor":
    """Repeat the last patch until there are ``size``."""
    import torch

    missing = size - len(patches)
    if missing <= 0:
        return patches
    return torch.cat([patches, patches[-1:].expand(missing, *patches.shape[1:])])
