"""Small sources and models that several packages' tests share."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_medpatch.geometry import Box, Spacing
from napari_medpatch.io.source import Level
from napari_medpatch.models.card import ModelCard


class PyramidInMemory:
    """A slide over arrays: level 0 and any number of reduced levels with any downsample."""

    kind = "slide"
    format = "array"
    axes = "YXC"
    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        rgb: np.ndarray,
        mpp: Sequence[float] | None = (0.5, 0.5),
        downsamples: Sequence[float] = (),
        *,
        kind: str = "slide",
        path: Path = Path("slide.svs"),
    ) -> None:
        self.kind, self.path = kind, path
        self._arrays = [rgb] + [_reduced(rgb, d) for d in downsamples]
        self.levels = tuple(
            Level(a.shape[:2], (float(d), float(d))) for a, d in zip(self._arrays, (1.0, *downsamples), strict=True)
        )
        self.spacing = Spacing(tuple(mpp), "um", "test") if mpp is not None else None
        self.metadata: Mapping[str, Any] = {}
        self.reads: list[tuple[int, Box]] = []
        self.closed = False

    def read(self, level: int, box: Box) -> np.ndarray:
        self.reads.append((level, box))
        array = self._arrays[level]
        filled = np.full((*box.shape, 3), 255, np.uint8)
        inside = box.clip(array.shape[:2])
        filled[inside.shift([-a for a in box.start]).slices] = array[inside.slices]
        return filled

    def close(self) -> None:
        self.closed = True


def _reduced(rgb: np.ndarray, downsample: float) -> np.ndarray:
    rows, cols = (np.arange(round(n / downsample)) for n in rgb.shape[:2])
    y = np.minimum(((rows + 0.5) * downsample).astype(int), rgb.shape[0] - 1)
    x = np.minimum(((cols + 0.5) * downsample).astype(int), rgb.shape[1] - 1)
    return np.ascontiguousarray(rgb[y][:, x])


@pytest.fixture
def pyramid() -> type[PyramidInMemory]:
    """Class of in-memory slides: ``pyramid(rgb, mpp=(y, x), downsamples=(4.0,))``."""
    return PyramidInMemory


@pytest.fixture
def patch_card() -> Callable[..., ModelCard]:
    """Make the card of a small patch classifier."""

    def make(classes: Sequence[str] = ("other", "tumour"), **changes: Any) -> ModelCard:
        values: dict[str, Any] = {
            "patch_size_pixels": 32,
            "spacing_um_px": 0.5,
            "transform": (
                {"name": "Resize", "arguments": {"size": 32}},
                {"name": "ToTensor"},
                {"name": "Normalize", "arguments": {"mean": [0.5] * 3, "std": [0.5] * 3}},
            ),
        }
        return ModelCard("mean-colour", "patch-classifier", "none", tuple(classes), **(values | changes))

    return make


class MeanColourBundle:
    """A classifier whose logits are the mean red, green, … of a patch: what it says is known in advance."""

    weights = None
    path = Path("mean-colour")

    def __init__(self, card: ModelCard, *, fail_above: int | None = None, seconds: float = 0.0) -> None:
        self.card, self.fail_above, self.seconds = card, fail_above, seconds
        self.batches: list[int] = []

    def load(self, device: Any = "cpu") -> Any:
        import time

        import torch

        outer = self

        class MeanColour(torch.nn.Module):
            def forward(self, batch: torch.Tensor) -> torch.Tensor:
                if outer.fail_above is not None and len(batch) > outer.fail_above:
                    raise torch.OutOfMemoryError("CUDA out of memory.")
                outer.batches.append(len(batch))
                time.sleep(outer.seconds)
                return batch.mean(dim=(2, 3))[:, : outer.card.num_classes] * 4

        return MeanColour().to(device).eval()


@pytest.fixture
def mean_colour(patch_card: Callable[..., ModelCard]) -> Callable[..., MeanColourBundle]:
    """Make a bundle; keyword arguments of the card, ``fail_above`` patches per batch, ``seconds`` per batch."""

    def make(
        classes: Sequence[str] = ("other", "tumour"),
        *,
        fail_above: int | None = None,
        seconds: float = 0.0,
        **changes: Any,
    ) -> MeanColourBundle:
        return MeanColourBundle(patch_card(classes, **changes), fail_above=fail_above, seconds=seconds)

    return make


@pytest.fixture
def stained_slide() -> np.ndarray:
    """``(600, 800, 3) uint8``: grey glass with noise and one stained disc of radius 150 at (300, 400)."""
    rng = np.random.default_rng(0)
    rgb = np.full((600, 800, 3), 240.0)
    y, x = np.mgrid[:600, :800]
    disc = (y - 300) ** 2 + (x - 400) ** 2 < 150**2
    texture = rng.random((600, 800))[..., None]
    rgb[disc] = (np.array([150, 70, 150]) + 60 * texture)[disc]
    rgb += rng.normal(0, 2, rgb.shape)
    return rgb.clip(0, 255).astype(np.uint8)
