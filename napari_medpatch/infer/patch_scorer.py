"""A patch classifier on its devices: batches in, scores out."""

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.infer.device import available_memory, pick_devices
from napari_medpatch.infer.device_lane import BatchSize, DeviceLane, squared
from napari_medpatch.infer.feed import Batch, Feed, Pixels
from napari_medpatch.infer.lanes import in_order
from napari_medpatch.infer.loading import load_network
from napari_medpatch.infer.mc_dropout import DropoutBundle
from napari_medpatch.infer.precision import Precision, choose_precision
from napari_medpatch.infer.scoring import Keys, PlainScores, ScoringMethod
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.preprocess import input_shape, resize_like_pil
from napari_medpatch.models.speed import accelerated, in_bfloat16

if TYPE_CHECKING:
    import torch
    from torch import nn

    from napari_medpatch.models.bundle import Bundle

_BYTES_PER_PIXEL = 2000
"""Activations per input pixel, generous for VGG and DenseNet in float32."""

_MOST_LANES = 8
"""Networks side by side on a processor; with more cores each gets several threads."""


class PatchScorer:
    """A loaded classifier.

    On a processor it runs as several single-threaded lanes, which share the weights: on two cores that is as
    fast as one network with two threads while nothing else runs, and stays so while patches are decoded.

    Parameters
    ----------
    bundle : Bundle
        The model.
    device : str
        As :func:`napari_medpatch.infer.device.pick_devices` takes it; several share the patches.
    precision : str
        ``"auto"``, ``"float32"`` or ``"bfloat16"``. ``"auto"`` is bfloat16 on CUDA devices that multiply it
        natively, unless ``exact``; float32 elsewhere (see :mod:`napari_medpatch.infer.precision_gate`).
    batch_size : int
        Patches per pass; 0 chooses by device and memory, never by time, so that equal input gives equal
        output. Lowered when memory runs out.
    method : ScoringMethod, optional
        How logits become scores; :class:`PlainScores` by default.
    keys : ndarray, optional
        ``(N, 2) int64``, what identifies each of the feed's items (its grid cell) to the method; by default
        the item's number and 0.
    exact : bool
        Run the network as it is stored.

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
        exact: bool = False,
    ) -> None:
        self.card: ModelCard = bundle.card
        self.devices = pick_devices(device)
        self.device = self.devices[0]
        self.method = method if method is not None else PlainScores(self.card)
        self._keys = keys
        # Random dropout replaces functions of the modules as they are, and counts on torch's own generator.
        self._dropout = isinstance(bundle, DropoutBundle)
        plain = exact or self._dropout
        fast = self.device.type == "cuda" and not exact
        self.precision: Precision = choose_precision(precision, self.device, prefer="fast" if fast else "exact")
        models = self._halved(bundle) if self.device.type == "cpu" and not plain else None
        # A network that is bfloat16 itself needs no autocast.
        self._autocast: Precision = self.precision if models is None else "float32"
        self.lanes = self._lanes(models or _load(bundle, self.devices, plain=plain), batch_size)

    @property
    def is_half(self) -> bool:
        """Whether the network on a processor is bfloat16 throughout."""
        return self.precision == "bfloat16" and self._autocast == "float32"

    @property
    def batch_size(self) -> int:
        """Patches per pass."""
        return self._size.value

    @property
    def input_shape(self) -> tuple[int, int]:
        """``(y, x)`` that the network sees."""
        edge = self.card.patch_size_pixels or 224
        return input_shape(self.card, (edge, edge))

    def feed(
        self,
        chunks: Sequence[npt.NDArray[np.int64]],
        load: Callable[[npt.NDArray[np.int64]], Pixels],
        *,
        threads: int = 0,
    ) -> Feed:
        """Return a feed for :meth:`stream`: threads load patches and, for a processor, resize them.

        Parameters
        ----------
        chunks, load, threads
            As :class:`Feed` takes them.
        """
        shrinks = self.device.type == "cpu" and isinstance(self.method, PlainScores)

        def load_small(index: npt.NDArray[np.int64]) -> Pixels:
            return self._network_sized(load(index))

        return Feed(
            chunks,
            load_small if shrinks else load,
            batch_size=self.batch_size,
            threads=threads,
            pinned=self.device.type == "cuda",
        )

    def stream(self, batches: Iterable[Batch]) -> Generator[tuple[Batch, npt.NDArray[np.float32]], None, None]:
        """Score batches, on all devices at the same time.

        Yields
        ------
        tuple of Batch and ndarray
            The batch and its ``(N, K) float32`` scores: class probabilities, then the method's extras. In the
            order of ``batches``. Closing the iterator waits for the batches under way.

        Raises
        ------
        ResourceError
            If memory runs out even for one patch, or a device fails.
        """
        return in_order(batches, self.lanes)

    def halved(self, bundle: "Bundle") -> "PatchScorer":
        """Return the same classifier in bfloat16; its ``is_half`` says whether the network allowed it."""
        return PatchScorer(
            bundle,
            device=",".join(map(str, self.devices)),
            precision="bfloat16",
            batch_size=self.batch_size,
            method=self.method,
            keys=self._keys,
        )

    def _halved(self, bundle: "Bundle") -> "list[nn.Module] | None":
        """Return the network in bfloat16 for a processor, if that is the precision and does not change it."""
        if self.precision != "bfloat16":
            return None
        half = in_bfloat16(load_network(bundle, self.device), (bundle.card.in_channels, *self.input_shape), self.device)
        return None if half is None else [half] * len(self.devices)

    def _lanes(self, models: "Sequence[nn.Module]", batch_size: int) -> list[DeviceLane]:
        count, threads = self._side_by_side()
        size = batch_size if batch_size > 0 else automatic_batch_size(self.card, self.device, count)
        self._size = BatchSize(size)
        repeated = [(m, d) for m, d in zip(models, self.devices, strict=True) for _ in range(count)]
        return [
            DeviceLane(
                model, device, self.card, self.method, self._identify, self._size,
                precision=self._autocast, threads=threads, fill=not self._dropout,
            )
            for model, device in repeated
        ]  # fmt: skip

    def _side_by_side(self) -> tuple[int, int]:
        """Return lanes per device and torch's threads in each (0: as many as torch likes)."""
        import torch

        if self.device.type != "cpu":
            return 1, 0
        threads = torch.get_num_threads()
        if self._dropout:
            return 1, threads
        if len(self.devices) > 1:
            return 1, max(1, threads // len(self.devices))
        lanes = min(threads, _MOST_LANES)
        return lanes, max(1, threads // lanes)

    def _identify(self, batch: Batch) -> Keys:
        if self._keys is not None:
            return self._keys[batch.index]
        return np.stack([batch.index, np.zeros_like(batch.index)], axis=1)

    def _network_sized(self, pixels: Pixels) -> npt.NDArray[Any]:
        import torch

        if pixels.dtype != np.uint8:
            return pixels
        with torch.inference_mode():
            patches = squared(torch.from_numpy(pixels), self.card)
            shape = input_shape(self.card, (int(patches.shape[1]), int(patches.shape[2])))
            small = resize_like_pil(patches.permute(0, 3, 1, 2), shape).permute(0, 2, 3, 1)
        return np.asarray(small)


def automatic_batch_size(card: ModelCard, device: "torch.device", lanes: int = 1) -> int:
    """Return how many patches to take at once in each of several lanes on a device.

    Small on a CPU, where larger batches are no faster and Stop would have to wait for them; on an
    accelerator enough to fill it, within half of the free memory.
    """
    edge = card.patch_size_pixels or 224
    height, width = input_shape(card, (edge, edge))
    wanted = (4 if device.type == "cpu" else 256) * 224 * 224 / (height * width)
    affordable = available_memory(device) / 2 / lanes / (_BYTES_PER_PIXEL * height * width)
    return max(1, min(round(wanted), int(affordable), 1024))


def _load(bundle: "Bundle", devices: "Sequence[torch.device]", *, plain: bool) -> "list[nn.Module]":
    """Load the network once per device."""
    edge = bundle.card.patch_size_pixels or 224
    shape = (bundle.card.in_channels, *input_shape(bundle.card, (edge, edge)))
    loaded: dict[torch.device, nn.Module] = {}
    for device in devices:
        if device not in loaded:
            model = load_network(bundle, device)
            loaded[device] = model if plain else accelerated(model, shape, device)
    return [loaded[device] for device in devices]
