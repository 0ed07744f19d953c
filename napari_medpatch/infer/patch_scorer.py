"""A patch classifier on its device: batches in, probabilities out."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import BundleError, ResourceError
from napari_medpatch.infer.device import available_memory, free_cached_memory, is_out_of_memory, pick_device
from napari_medpatch.infer.feed import Batch, Pixels
from napari_medpatch.infer.precision import autocast, choose_precision, exact_convolutions
from napari_medpatch.infer.scoring import Keys, PlainScores, ScoringMethod
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.preprocess import input_shape, normalise_patches, resize_like_pil

if TYPE_CHECKING:
    import torch

    from napari_medpatch.models.bundle import Bundle

_BYTES_PER_PIXEL = 2000
"""Activations per input pixel, generous for VGG and DenseNet in float32."""


class PatchScorer:
    """A loaded classifier.

    Parameters
    ----------
    bundle : Bundle
        The model.
    device : str
        As :func:`napari_medpatch.infer.device.pick_device` takes it.
    precision : str
        ``"auto"``, ``"float32"`` or ``"bfloat16"``.
    batch_size : int
        Patches per pass; 0 chooses by device and memory, never by time, so that equal input gives equal
        output. Lowered when memory runs out.
    method : ScoringMethod, optional
        How logits become scores; :class:`PlainScores` by default.
    keys : ndarray, optional
        ``(N, 2) int64``, what identifies each of the feed's items (its grid cell) to the method; by default
        the item's number and 0.

    Raises
    ------
    BundleError
        If the model cannot be loaded.
    ResourceError
        If the device or precision does not exist.
    """

    def __init__(
        self,
        bundle: "Bundle",
        *,
        device: str = "auto",
        precision: str = "auto",
        batch_size: int = 0,
        method: ScoringMethod | None = None,
        keys: Keys | None = None,
    ) -> None:
        self.card: ModelCard = bundle.card
        self.device = pick_device(device)
        self.precision = choose_precision(precision, self.device)
        self._model = bundle.load(self.device)
        self.batch_size = batch_size if batch_size > 0 else automatic_batch_size(self.card, self.device)
        self.method = method if method is not None else PlainScores(self.card)
        self._keys = keys

    def stream(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, npt.NDArray[np.float32]]]:
        """Score batches in order; on an accelerator the next one is launched before the last is fetched.

        Yields
        ------
        tuple of Batch and ndarray
            The batch and its ``(N, K) float32`` scores: class probabilities, then the method's extras.

        Raises
        ------
        ResourceError
            If memory runs out even for one patch.
        """
        waiting: list[tuple[Batch, torch.Tensor]] = []
        depth = 0 if self.device.type == "cpu" else 1
        for batch in batches:
            waiting.append((batch, self._launch(batch.pixels, self._identify(batch))))
            if len(waiting) > depth:
                yield _fetched(waiting.pop(0))
        while waiting:
            yield _fetched(waiting.pop(0))

    def _identify(self, batch: Batch) -> Keys:
        if self._keys is not None:
            return self._keys[batch.index]
        return np.stack([batch.index, np.zeros_like(batch.index)], axis=1)

    def _launch(self, pixels: Pixels, keys: Keys) -> "torch.Tensor":
        """Run the model; halve the batch as often as memory demands."""
        import torch

        try:
            return self._scores(pixels, keys)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        # Outside the handler the failed pass's tensors are free.
        if len(pixels) == 1:
            raise ResourceError(
                f"Memory ran out on {self.device} for a single patch of {self.card.name}; "
                "close other programs, choose another device or a smaller model."
            )
        free_cached_memory(self.device)
        half = (len(pixels) + 1) // 2
        self.batch_size = min(self.batch_size, half)
        return torch.cat([self._launch(pixels[:half], keys[:half]), self._launch(pixels[half:], keys[half:])])

    def _scores(self, pixels: Pixels, keys: Keys) -> "torch.Tensor":
        import torch

        with torch.inference_mode():
            return self.method(self._forward, self._sent(pixels), keys)

    def _forward(self, patches: "torch.Tensor") -> "torch.Tensor":
        """Return float32 logits of uint8 ``(N, Y, X, 3)`` patches, or of prepared float ``(N, 3, Y, X)`` ones."""
        import torch

        with exact_convolutions(self.precision), autocast(self.device, self.precision):
            logits: torch.Tensor = self._model(self._prepared(patches)).float()
        if logits.ndim != 2 or logits.shape[1] != self.method.columns:
            raise BundleError(
                f"Model {self.card.name} names {self.card.num_classes} classes but gives an output of shape "
                f"{tuple(logits.shape)}; its config.json does not fit its weights."
            )
        return logits

    def _sent(self, pixels: Pixels) -> "torch.Tensor":
        import torch

        tensor = torch.from_numpy(np.ascontiguousarray(pixels))
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)

    def _prepared(self, patches: "torch.Tensor") -> "torch.Tensor":
        """Resize and normalise bytes on the device; float input is ready already."""
        import torch

        if patches.dtype != torch.uint8:
            return patches
        return normalise_patches(self._squared(patches), self.card)

    def _squared(self, patches: "torch.Tensor") -> "torch.Tensor":
        """Undo pixels that are not square: the patch is square in µm."""
        height, width = int(patches.shape[1]), int(patches.shape[2])
        if height == width:
            return patches
        shape = input_shape(self.card, (height, height))
        return resize_like_pil(patches.permute(0, 3, 1, 2), shape).permute(0, 2, 3, 1)


def automatic_batch_size(card: ModelCard, device: "torch.device") -> int:
    """Return how many patches to take at once.

    Small on a CPU, where larger batches are no faster and Stop would have to wait for them; on an
    accelerator enough to fill it, within half of the free memory.
    """
    edge = card.patch_size_pixels or 224
    height, width = input_shape(card, (edge, edge))
    wanted = (4 if device.type == "cpu" else 256) * 224 * 224 / (height * width)
    affordable = available_memory(device) / 2 / (_BYTES_PER_PIXEL * height * width)
    return max(1, min(round(wanted), int(affordable), 1024))


def _fetched(scored: "tuple[Batch, torch.Tensor]") -> tuple[Batch, npt.NDArray[np.float32]]:
    batch, scores = scored
    return batch, scores.cpu().numpy()
