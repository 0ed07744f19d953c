"""The small parts of inspector and gallery."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_medpatch.plugin.class_bars import ClassBars
from napari_medpatch.plugin.heat_colours import heat_colours
from napari_medpatch.plugin.heat_map import heat_map_of
from napari_medpatch.plugin.loaded_cam import LoadedCam
from napari_medpatch.plugin.patch_picture import PatchPicture, image_of_rgb
from napari_medpatch.plugin.patch_words import extras_in_words


def test_bars_show_every_class_or_the_most_probable_ones(qtbot: Any) -> None:
    bars = ClassBars()
    qtbot.addWidget(bars)
    bars.show_values(("a", "b"), (0.25, np.nan))
    assert bars.bars["a"].value() == 250
    assert bars.bars["b"].text() == "not scored"
    many = tuple(f"class {index}" for index in range(20))
    bars.show_values(many, np.linspace(0, 1, 20))
    assert list(bars.bars) == [f"class {index}" for index in range(19, 11, -1)]
    bars.clear()
    assert bars.bars == {}


def test_cold_is_transparent() -> None:
    cold, hot = heat_colours().map(np.array([0.0, 1.0]))
    assert cold[3] == pytest.approx(0, abs=1e-3)
    assert hot[3] == pytest.approx(1, abs=1e-3)
    assert heat_colours() is heat_colours()


def test_the_picture_is_drawn_with_its_heat(qtbot: Any) -> None:
    picture = PatchPicture()
    qtbot.addWidget(picture)
    picture.resize(200, 200)
    picture.show_pixels(np.full((50, 50, 3), (10, 200, 30), np.uint8))
    plain = picture.grab().toImage().pixelColor(100, 100)
    assert (plain.red(), plain.green(), plain.blue()) == (10, 200, 30)
    picture.set_opacity(1.0)
    heat = np.zeros((50, 50), np.float32)
    heat[:, 25:] = 1
    picture.show_heat(heat)
    drawn = picture.grab().toImage()
    assert drawn.pixelColor(40, 100).green() == pytest.approx(200, abs=3), "cold pixels stay as they are"
    assert drawn.pixelColor(160, 100).red() > 200
    picture.set_opacity(0.0)
    assert picture.grab().toImage().pixelColor(160, 100).red() == 10


def test_images_own_their_memory() -> None:
    rgb = np.full((4, 5, 3), 7, np.uint8)
    image = image_of_rgb(rgb[:, ::-1])
    rgb[:] = 0
    assert (image.width(), image.height(), image.pixelColor(2, 2).red()) == (5, 4, 7)


def test_extras_in_words() -> None:
    assert extras_in_words({"uncertainty": 0.1234, "attention": np.nan}) == "Uncertainty 0.123"
    assert extras_in_words({}) == ""


def test_one_model_stays_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[Any, ...]] = []

    def make(bundle: Any, *, device: str, layer: str | None) -> object:
        made.append((bundle, device, layer))
        return object()

    monkeypatch.setattr("napari_medpatch.infer.grad_cam.GradCam", make)
    cams, one, other = LoadedCam(), SimpleNamespace(), SimpleNamespace()
    first = cams.get(one, "cpu", None)
    assert cams.get(one, "cpu", None) is first
    assert cams.get(one, "cpu", "layer3") is not first
    cams.get(other, "cpu", "layer3")
    assert made == [(one, "cpu", None), (one, "cpu", "layer3"), (other, "cpu", "layer3")]


def test_only_heat_maps_of_images_that_are_there_count(viewer: Any) -> None:
    image = viewer.add_image(np.zeros((20, 20, 3), np.uint8), rgb=True)
    plain = viewer.add_image(np.zeros((4, 4), np.float32), metadata={"medpatch": {"role": "heat map"}})
    assert heat_map_of(image) is None
    assert heat_map_of(None) is None
    assert heat_map_of(plain) is None
