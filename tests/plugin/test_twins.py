"""One layer in several viewers: pixels, look, strokes, undo. No window is needed for that."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels, Points

from napari_medpatch.plugin.layer_mirror import LayerMirror
from napari_medpatch.plugin.twins import can_have_twins

SCALE = (2.5, 1.0, 1.0)


class Planes:
    """A main viewer with a coronal and a sagittal one, without widgets."""

    def __init__(self) -> None:
        self.main = ViewerModel()
        self.image = self.main.add_image(np.zeros((8, 20, 24), np.int16), scale=SCALE, contrast_limits=(-100, 100))
        self.labels = self.main.add_labels(np.zeros((8, 20, 24), np.uint8), scale=SCALE)
        self.coronal, self.sagittal = ViewerModel(order=(1, 0, 2)), ViewerModel(order=(2, 0, 1))
        self.mirror = LayerMirror(self.main, [self.coronal, self.sagittal])

    def twin(self, layer: Any, viewer: Any = None) -> Any:
        return self.mirror.twin(layer, viewer or self.coronal)


@pytest.fixture
def planes(qtbot: Any) -> Iterator[Planes]:
    yield (planes := Planes())
    planes.mirror.close()


def stamp(layer: Any, place: tuple[int, int, int], value: int, size: int = 1) -> None:
    layer.brush_size = size
    layer.paint(place, value)


def test_twins_show_the_same_array(planes: Planes) -> None:
    for viewer in (planes.coronal, planes.sagittal):
        assert planes.twin(planes.image, viewer).data is planes.image.data
        assert planes.twin(planes.labels, viewer).data is planes.labels.data
        np.testing.assert_array_equal(planes.twin(planes.image, viewer).scale, SCALE)


def test_the_brush_paints_within_the_plane_it_is_used_in(planes: Planes) -> None:
    planes.coronal.dims.set_current_step(1, 7)
    stamp(planes.twin(planes.labels), (4, 7, 12), 2, size=6)
    painted = np.argwhere(planes.labels.data == 2)
    assert len(painted) > 8
    assert set(painted[:, 1]) == {7}
    assert len(set(painted[:, 0])) > 1


def test_undo_takes_back_the_last_stroke_wherever_it_was_painted(planes: Planes) -> None:
    """Overlapping strokes: with a history per plane, the second undo would bring back a mixture."""
    data, twin, other = planes.labels.data, planes.twin(planes.labels), planes.twin(planes.labels, planes.sagittal)
    stamp(planes.labels, (4, 10, 12), 1, size=5)
    first = data.copy()
    stamp(twin, (4, 10, 12), 2, size=5)
    second = data.copy()
    stamp(other, (4, 10, 12), 3, size=5)
    third = data.copy()
    planes.labels.undo()
    np.testing.assert_array_equal(data, second)
    other.undo()
    np.testing.assert_array_equal(data, first)
    twin.redo()
    planes.labels.redo()
    np.testing.assert_array_equal(data, third)
    for layer in (twin, twin, planes.labels):
        layer.undo()
    assert not data.any()


def test_a_stroke_in_one_plane_keeps_strokes_of_another_when_it_is_undone(planes: Planes) -> None:
    stamp(planes.labels, (2, 3, 3), 1)
    stamp(planes.twin(planes.labels), (6, 15, 20), 2)
    planes.labels.undo()
    assert planes.labels.data[2, 3, 3] == 1
    assert planes.labels.data[6, 15, 20] == 0


def test_watchers_of_the_original_hear_of_strokes_on_its_twins(planes: Planes) -> None:
    heard: list[Any] = []
    planes.labels.events.paint.connect(heard.append)
    stamp(planes.twin(planes.labels), (4, 7, 12), 2)
    assert len(heard) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("contrast_limits", [-600.0, 900.0]), ("gamma", 0.5), ("opacity", 0.3), ("visible", False), ("name", "other")],
)
def test_the_look_of_an_image_is_shared_both_ways(planes: Planes, name: str, value: Any) -> None:
    twin, other = planes.twin(planes.image), planes.twin(planes.image, planes.sagittal)
    before = getattr(planes.image, name)
    setattr(planes.image, name, value)
    assert getattr(twin, name) == getattr(other, name) == value
    setattr(twin, name, before)
    assert getattr(planes.image, name) == getattr(other, name) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [("mode", "paint"), ("selected_label", 3), ("brush_size", 17), ("n_edit_dimensions", 3), ("contour", 1)],
)
def test_the_brush_is_shared_both_ways(planes: Planes, name: str, value: Any) -> None:
    twin = planes.twin(planes.labels)
    before = getattr(planes.labels, name)
    setattr(planes.labels, name, value)
    assert getattr(twin, name) == value
    setattr(twin, name, before)
    assert getattr(planes.labels, name) == before


def test_layers_come_go_and_move_together(planes: Planes) -> None:
    second = planes.main.add_labels(np.zeros((8, 20, 24), np.uint8), name="second", scale=SCALE)
    assert [layer.name for layer in planes.coronal.layers] == [layer.name for layer in planes.main.layers]
    planes.main.layers.move(2, 0)
    assert [layer.name for layer in planes.sagittal.layers] == [layer.name for layer in planes.main.layers]
    planes.main.layers.remove(second)
    assert [layer.name for layer in planes.coronal.layers] == [planes.image.name, planes.labels.name]


def test_the_selected_layer_is_selected_everywhere(planes: Planes) -> None:
    planes.main.layers.selection.active = planes.labels
    assert planes.coronal.layers.selection.active is planes.twin(planes.labels)
    planes.main.layers.selection.active = planes.image
    assert planes.coronal.layers.selection.active is planes.twin(planes.image)


def drawings(layer: Any) -> list[Any]:
    drawn: list[Any] = []
    layer.events.set_data.connect(drawn.append)
    return drawn


def test_pixels_written_into_the_original_reach_the_twins(planes: Planes) -> None:
    drawn = drawings(planes.twin(planes.labels))
    planes.labels.data[:] = 1
    planes.labels.refresh()
    planes.mirror.redraw()
    assert len(drawn) == 1


def test_moving_through_slices_draws_only_the_plane_that_moves(planes: Planes) -> None:
    drawn = drawings(planes.twin(planes.image))
    for step in range(5):
        planes.main.dims.set_current_step(0, step)
    planes.mirror.redraw()
    assert drawn == []


def test_drawing_does_not_go_round_in_circles(planes: Planes) -> None:
    drawn = drawings(planes.labels)
    stamp(planes.twin(planes.labels), (4, 7, 12), 2)
    for _ in range(3):
        planes.mirror.redraw()
    assert len(drawn) == 1


def test_undo_in_a_plane_is_drawn_in_the_others(planes: Planes) -> None:
    stamp(planes.twin(planes.labels), (4, 7, 12), 2)
    planes.mirror.redraw()
    drawn = drawings(planes.labels)
    planes.twin(planes.labels).undo()
    planes.mirror.redraw()
    assert len(drawn) == 1


def test_hidden_planes_wait_until_they_are_seen(planes: Planes) -> None:
    drawn = drawings(planes.twin(planes.labels))
    planes.mirror.hide(planes.coronal, hidden=True)
    stamp(planes.labels, (4, 7, 12), 2)
    planes.mirror.redraw()
    assert drawn == []
    planes.mirror.hide(planes.coronal, hidden=False)
    planes.mirror.redraw()
    assert len(drawn) == 1


def test_another_array_is_followed_and_undone_together(planes: Planes) -> None:
    planes.labels.data = np.ones((8, 20, 24), np.uint8)
    twin = planes.twin(planes.labels)
    assert twin.data is planes.labels.data
    stamp(twin, (4, 7, 12), 2)
    planes.labels.undo()
    assert (planes.labels.data == 1).all()


def test_a_view_in_3d_waits_for_the_end_of_a_stroke(planes: Planes) -> None:
    drawn = drawings(planes.labels)
    planes.main.dims.ndisplay = 3
    drawn.clear()
    twin = planes.twin(planes.labels)
    with twin.block_history():
        stamp(twin, (4, 7, 12), 2)
        planes.mirror.redraw()
        assert drawn == []
    planes.mirror.redraw()
    assert len(drawn) == 1


def test_only_grey_volumes_and_labels_have_twins() -> None:
    assert can_have_twins(Image(np.zeros((3, 4, 5))))
    assert can_have_twins(Labels(np.zeros((3, 4, 5), np.uint8)))
    for other in (
        Image(np.zeros((4, 5))),
        Image(np.zeros((3, 4, 5, 3), np.uint8), rgb=True),
        Labels(np.zeros((4, 5), np.uint8)),
        Points(np.zeros((1, 3))),
    ):
        assert not can_have_twins(other)
