from napari_medpatch.geometry import Box
from napari_medpatch.infer.block_order import from_there_on

SLABS = [Box((a, 0, 0), (a + 4, 9, 9)) for a in range(0, 20, 4)]


def test_without_a_place_the_order_stays() -> None:
    assert from_there_on(SLABS, None) == [0, 1, 2, 3, 4]
    assert from_there_on([], (1.0, 2.0, 3.0)) == []


def test_the_block_at_the_place_comes_first_and_the_rest_go_round() -> None:
    assert from_there_on(SLABS, (9.0, 0.0, 0.0)) == [2, 3, 4, 0, 1]
    assert from_there_on(SLABS, (19.0, 8.0, 8.0)) == [4, 0, 1, 2, 3]


def test_places_beyond_the_image_mean_the_nearest_block() -> None:
    assert from_there_on(SLABS, (-50.0, 0.0, 0.0))[0] == 0
    assert from_there_on(SLABS, (99.0, 0.0, 0.0))[0] == 4


def test_empty_blocks_are_never_the_first() -> None:
    assert from_there_on([Box((0, 0, 0), (0, 9, 9)), *SLABS[1:]], (0.0, 0.0, 0.0))[0] == 1
