"""Layers and their sources; results and their images."""

from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels
from napari.utils._proxies import PublicOnlyProxy

from napari_medpatch.errors import WrongKindError
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.plugin.current_image import CurrentImage
from napari_medpatch.plugin.layers import layer_data, provenance
from napari_medpatch.plugin.links import bare, belongs_to, image_of, kind_of, source_of


def image_layer(source: ArraySource) -> Image:
    ((data, attributes, _),) = layer_data(source)
    return Image(data, **attributes)


def test_layer_of_ours_gives_back_its_source(volume: ArraySource) -> None:
    assert source_of(image_layer(volume)) is volume


def test_plain_layer_becomes_a_source_in_mm_and_is_kept() -> None:
    layer = Image(np.zeros((3, 4, 5), np.int16), scale=(2000, 500, 500), units=("um",) * 3, name="plain")
    source = source_of(layer)
    assert source.kind == "volume"
    assert source.spacing is not None
    np.testing.assert_allclose(source.spacing.values, (2, 0.5, 0.5))
    assert source_of(layer) is source


def test_plain_layer_in_pixels_has_no_spacing() -> None:
    source = source_of(Image(np.zeros((6, 7, 3), np.uint8), rgb=True))
    assert source.kind == "photo"
    assert source.spacing is None


@pytest.mark.parametrize("shape", [(5, 6), (2, 3, 4, 5)])
def test_other_shapes_are_refused_in_words(shape: tuple[int, ...]) -> None:
    layer = Image(np.zeros(shape, np.uint8), name="odd")
    assert kind_of(layer) is None
    with pytest.raises(WrongKindError, match=f"odd is a image layer of {len(shape)} dimensions"):
        source_of(layer)


def test_results_are_not_images(photo: ArraySource) -> None:
    image = image_layer(photo)
    heat = Image(np.zeros((3, 4)), metadata=provenance(image, "heat map"))
    belongs_to(heat, image)
    assert kind_of(heat) is None
    assert image_of(heat) is image
    assert image_of(Labels(np.zeros((3, 4), np.uint8))) is None


def test_proxies_are_opened() -> None:
    viewer = ViewerModel()
    assert bare(PublicOnlyProxy(viewer)) is viewer
    assert bare(viewer) is viewer


@pytest.fixture
def current(qtbot: Any) -> CurrentImage:
    return CurrentImage(PublicOnlyProxy(ViewerModel()))


def test_current_image_follows_the_selection(current: CurrentImage, volume: ArraySource, photo: ArraySource) -> None:
    layers = current.viewer.layers
    assert current.kind is None
    first, second = image_layer(volume), image_layer(photo)
    layers.append(first)
    layers.append(second)
    layers.selection.active = first
    assert current.layer is first
    layers.selection.active = second
    assert (current.kind, current.live) == ("photo", photo)


def test_selecting_a_result_chooses_its_image(current: CurrentImage, volume: ArraySource, photo: ArraySource) -> None:
    layers = current.viewer.layers
    first, second = image_layer(volume), image_layer(photo)
    mask = Labels(np.zeros((12, 32, 40), np.uint8))
    belongs_to(mask, first)
    layers.extend([first, second, mask])
    layers.selection.active = second
    layers.selection.active = mask
    assert current.layer is first


def test_selecting_something_else_keeps_the_image(current: CurrentImage, volume: ArraySource) -> None:
    layers = current.viewer.layers
    first = image_layer(volume)
    other = Labels(np.zeros((3, 3), np.uint8))
    layers.extend([first, other])
    layers.selection.active = other
    assert current.layer is first
    layers.remove(first)
    assert current.layer is None
