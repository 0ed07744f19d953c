"""One patch: pixels first, then what the model says of it."""

from typing import Any

import numpy as np
import pytest

from napari_medpatch.events import Finished, Noted, PictureRead
from napari_medpatch.geometry import Box
from napari_medpatch.infer.grad_cam import CamResult
from napari_medpatch.infer.patch_view import FULL, SEEN, as_seen, view_patch


class FakeCam:
    """Says 0.25 and 0.75, and remembers what it was shown."""

    def __init__(self, card: Any) -> None:
        self.card = card
        self.shown: list[tuple[tuple[int, ...], int | None]] = []

    def heat(self, patches: np.ndarray, class_index: int | None) -> CamResult:
        self.shown.append((patches.shape, class_index))
        heat = np.ones(patches.shape[:3], np.float32)
        chosen = np.array([1 if class_index is None else class_index])
        return CamResult(heat, np.array([[0.25, 0.75]], np.float32), chosen, "last")


@pytest.fixture
def source(pyramid: Any) -> Any:
    rgb = np.random.default_rng(0).integers(0, 256, (200, 240, 3), np.uint8)
    return pyramid(rgb, (0.25, 0.25), (2.0,))


def test_pixels_come_before_the_model_is_loaded(source: Any, patch_card: Any) -> None:
    cam, loaded = FakeCam(patch_card()), []

    def load() -> Any:
        loaded.append(cam)
        return cam

    box = Box((40, 60), (104, 124))
    job = view_patch(source, box, load)
    first = next(job)
    assert isinstance(first, PictureRead)
    assert first.index == FULL
    np.testing.assert_array_equal(first.pixels, source.read(0, box))
    assert not loaded
    noted, seen, finished = job
    assert isinstance(noted, Noted)
    assert seen.index == SEEN
    assert seen.pixels.shape == (32, 32, 3)
    assert isinstance(finished, Finished)
    view = finished.result
    assert cam.shown == [((1, 64, 64, 3), None)]
    assert (view.class_index, view.layer, view.heat.shape) == (1, "last", (64, 64))
    assert view.probabilities.tolist() == [0.25, 0.75]


def test_a_chosen_class_is_explained_at_full_resolution_if_need_be(source: Any, patch_card: Any) -> None:
    cam = FakeCam(patch_card())
    events = list(view_patch(source, Box((190, 230), (254, 294)), lambda: cam, 0))
    assert cam.shown == [((1, 64, 64, 3), 0)]
    assert events[0].pixels.shape == (64, 64, 3)
    assert events[-1].result.class_index == 0


def test_what_the_model_sees_is_its_input_size(patch_card: Any) -> None:
    patches = np.full((2, 80, 80, 3), 7, np.uint8)
    seen = as_seen(patches, patch_card())
    assert seen.shape == (32, 32, 3)
    assert seen.min() == seen.max() == 7
