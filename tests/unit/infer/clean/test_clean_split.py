"""Right and left as the patient's: x runs to the left."""

import numpy as np
import pytest

from napari_medpatch.errors import SettingsError
from napari_medpatch.events import Finished, Noted
from napari_medpatch.infer.clean.job import CleanResult, clean, clean_up

VOXEL = (3.0, 2.0, 2.0)


def lungs(bridge: int = 0) -> np.ndarray:
    """Two ellipsoids, the right one larger, joined by a bar of some voxels."""
    z, y, x = np.meshgrid(np.arange(40), np.arange(60), np.arange(90), indexing="ij")
    right = ((z - 20) / 16) ** 2 + ((y - 30) / 20) ** 2 + ((x - 24) / 19) ** 2 <= 1
    left = ((z - 20) / 14) ** 2 + ((y - 30) / 18) ** 2 + ((x - 66) / 16) ** 2 <= 1
    mask = right | left
    if bridge:
        mask[16 : 16 + bridge, 26 : 26 + bridge, 24:66] = True
    return mask.astype(np.uint8)


def split(mask: np.ndarray, *steps: str, names: tuple[str, ...] = ("lung",)) -> tuple[np.ndarray, tuple[str, ...]]:
    return clean(mask, steps or ["split-left-right"], voxel=VOXEL, class_names=names)


def test_two_pieces_are_named_by_side_and_keep_every_voxel() -> None:
    mask = lungs()
    result, names = split(mask)
    assert names == ("right lung", "left lung")
    assert np.array_equal(result > 0, mask > 0)
    assert (result[..., :45] == 2).sum() == (result[..., 46:] == 1).sum() == 0


@pytest.mark.parametrize("bridge", [2, 5, 9])
def test_touching_lungs_are_cut_at_the_waist(bridge: int) -> None:
    mask = lungs(bridge)
    result, _ = split(mask)
    assert np.array_equal(result > 0, mask > 0)
    # The waist lies between x = 43 and x = 50.
    assert (result[..., :40] == 2).sum() == (result[..., 53:] == 1).sum() == 0


def test_small_pieces_go_to_the_side_where_they_lie() -> None:
    mask = lungs()
    mask[1, 5, 10] = mask[1, 5, 80] = 1
    result, _ = split(mask)
    assert result[1, 5, 10] == 1
    assert result[1, 5, 80] == 2


def test_two_lobes_of_one_lung_are_no_pair() -> None:
    mask = lungs()
    mask[..., :45] = 0
    mask[18:20] = 0
    result, names = split(mask)
    assert names == ("right lung", "left lung")
    assert set(np.unique(result)) == {0, 2}


def test_a_lung_alone_and_a_blob_are_split_with_a_word_of_warning() -> None:
    for mask, words in (
        (lungs() * (np.arange(90) < 45), "taken for the right one"),
        (ellipsoid(), "cut at the middle"),
    ):
        events = list(clean_up(VOXEL, mask.astype(np.uint8), ["split-left-right"], class_names=["lung"]))
        assert words in " ".join(event.message for event in events if isinstance(event, Noted))
        assert isinstance(events[-1], Finished)


def ellipsoid() -> np.ndarray:
    z, y, x = np.meshgrid(np.arange(40), np.arange(60), np.arange(90), indexing="ij")
    return ((z - 20) / 16) ** 2 + ((y - 30) / 20) ** 2 + ((x - 44) / 30) ** 2 <= 1


def test_later_classes_move_up_and_stay_what_they_are() -> None:
    mask = lungs()
    mask[0, 0, 0:4] = 2
    mask[mask == 1] = 1
    result, names = split(mask, "split-left-right@lungs", names=("lungs", "heart"))
    assert names == ("right lung", "left lung", "heart")
    assert np.array_equal(result == 3, mask == 2)
    assert np.array_equal((result == 1) | (result == 2), mask == 1)


def test_only_the_named_class_is_split_and_merging_takes_it_back() -> None:
    mask = np.where(lungs() > 0, 2, 0).astype(np.uint8)
    mask[0, 0, 0:4] = 1
    result, names = split(mask, "split-left-right@lung", "merge:lung=right lung,left lung", names=("spine", "lung"))
    assert names == ("spine", "lung")
    assert np.array_equal(result, mask)


def test_what_cannot_be_split_is_refused() -> None:
    with pytest.raises(SettingsError, match="in volumes only"):
        clean(np.ones((4, 4), np.uint8), ["split-left-right"], voxel=(1, 1))
    with pytest.raises(SettingsError, match="same name"):
        split(lungs(), "split-left-right", names=("lung", "lungs"))


def test_the_change_is_told_by_side() -> None:
    done = list(clean_up(VOXEL, lungs(), ["split-left-right"], class_names=["lung"]))[-1]
    assert isinstance(done, Finished)
    result: CleanResult = done.result
    (change,) = result.changes
    assert change.removed == {"lung": int(lungs().sum())}
    assert sum(change.added.values()) == lungs().sum()
    assert set(change.added) == {"right lung", "left lung"}
    assert "left lung +" in change.in_words()
    assert change.in_words().endswith(" ml")
