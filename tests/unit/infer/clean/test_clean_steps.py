"""Each step does what its name says, in mm, and leaves other classes alone."""

import numpy as np
import pytest

from napari_medpatch.errors import SettingsError
from napari_medpatch.infer.clean.job import clean
from napari_medpatch.infer.clean.registry import STEPS, parse_step, parse_steps

ISO = (1.0, 1.0, 1.0)


def ball(
    shape: tuple[int, ...], centre: tuple[float, ...], radius: float, voxel: tuple[float, ...] = ISO
) -> np.ndarray:
    grid = np.meshgrid(*(np.arange(n) * v for n, v in zip(shape, voxel, strict=True)), indexing="ij")
    return sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)) <= radius**2


def cleaned(mask: np.ndarray, *steps: str, voxel: tuple[float, ...] = ISO, names: tuple[str, ...] = ()) -> np.ndarray:
    return clean(mask, steps, voxel=voxel, class_names=names)[0]


def two_cubes() -> np.ndarray:
    mask = np.zeros((20, 20, 20), np.uint8)
    mask[2:8, 2:8, 2:8] = 1
    mask[14:16, 14:16, 14:16] = 1
    return mask


@pytest.mark.parametrize(
    ("step", "voxel", "left"),
    [
        ("largest:1", ISO, 216),
        ("largest:2", ISO, 224),
        ("drop:0.1ml", ISO, 216),
        ("drop:0.1ml", (5.0, 2.0, 2.0), 224),
        ("drop:8.1mm3", ISO, 216),
        ("drop:8mm3", ISO, 224),
        ("drop:1ml", ISO, 0),
    ],
)
def test_pieces_go_by_number_or_real_size(step: str, voxel: tuple[float, ...], left: int) -> None:
    assert cleaned(two_cubes(), step, voxel=voxel).sum() == left


def test_holes_are_filled_in_3d_or_slice_by_slice() -> None:
    mask = np.zeros((9, 9, 9), np.uint8)
    mask[1:8, 1:8, 1:8] = 1
    mask[4, 4, 4] = 0
    mask[:, 2, 2] = 0
    assert cleaned(mask, "fill-holes").sum() == 343 - 7
    assert cleaned(mask, "fill-holes:slices").sum() == 343


def test_closing_reaches_as_far_in_mm_along_every_axis() -> None:
    mask = np.zeros((12, 24, 24), np.uint8)
    mask[:, 4:20, 4:10] = mask[:, 4:20, 13:20] = 1
    # A gap of three voxels: 6 mm wide at 2 mm, 2.1 mm at 0.7 mm.
    assert cleaned(mask, "close:2mm", voxel=(5.0, 2.0, 2.0))[6, 12, 10] == 0
    assert cleaned(mask, "close:2mm", voxel=(5.0, 0.7, 0.7))[6, 12, 10] == 1
    stacked = np.ascontiguousarray(mask.transpose(2, 1, 0))
    assert cleaned(stacked, "close:2mm", voxel=(2.0, 2.0, 5.0))[10, 12, 6] == 0


def test_closing_neither_rounds_nor_grows_a_box_nor_bridges_to_the_border() -> None:
    mask = np.zeros((16, 16, 16), np.uint8)
    mask[3:13, 3:13, 2:13] = 1
    assert np.array_equal(cleaned(mask, "close:3mm"), mask)


def test_opening_cuts_a_thin_bridge_but_not_at_the_edge_of_the_scan() -> None:
    mask = np.zeros((14, 14, 30), np.uint8)
    mask[2:12, 2:12, 0:10] = mask[2:12, 2:12, 20:30] = 1
    mask[7, 7, 10:20] = 1
    opened = cleaned(mask, "open:2mm")
    assert not opened[7, 7, 13:17].any()
    assert opened[7, 7, 0] == opened[7, 7, 29] == 1
    assert np.array_equal(cleaned(opened, "open:2mm"), opened)


@pytest.mark.parametrize("voxel", [ISO, (3.0, 1.0, 1.0)])
def test_grow_and_shrink_move_the_border_by_mm(voxel: tuple[float, ...]) -> None:
    shape = (30, 48, 48)
    centre = tuple(n * v / 2 for n, v in zip(shape, voxel, strict=True))
    mask = ball(shape, centre, 9, voxel).astype(np.uint8)
    small, large = (cleaned(mask, step, voxel=voxel) for step in ("shrink:3mm", "grow:3mm"))
    volumes = [each.sum() * np.prod(voxel) for each in (small, mask, large)]
    assert volumes == pytest.approx([4 / 3 * np.pi * r**3 for r in (6, 9, 12)], rel=0.2)
    ends = [np.argwhere(each).max(axis=0) for each in (small, mask, large)]
    steps = [int(3 / edge) for edge in voxel]
    assert (ends[1] - ends[0]).tolist() == (ends[2] - ends[1]).tolist() == steps


def test_shrinking_does_not_eat_from_the_edge_of_the_scan() -> None:
    mask = np.ones((8, 8, 8), np.uint8)
    assert cleaned(mask, "shrink:2mm").all()
    mask[:, :, 4:] = 0
    assert (cleaned(mask, "shrink:2mm") == 1).sum(axis=2).max() == 2


def test_growing_classes_meet_in_the_middle_and_take_nothing_from_another() -> None:
    mask = np.zeros((5, 5, 20), np.uint8)
    mask[..., 2:5], mask[..., 15:18], mask[..., 10] = 1, 2, 3
    grown = cleaned(mask, "grow:6mm@a,b", names=("a", "b", "c"))
    assert grown[2, 2].tolist() == [1] * 10 + [3] + [2] * 9


def test_smoothing_removes_steps_and_keeps_the_volume() -> None:
    truth = ball((48, 48, 48), (23.5, 23.5, 23.5), 16)
    coarse = truth[2::4, 2::4, 2::4].repeat(4, 0).repeat(4, 1).repeat(4, 2).astype(np.uint8)
    smooth = cleaned(coarse, "smooth:2mm")
    assert ((smooth == 1) != truth).sum() < 0.6 * ((coarse == 1) != truth).sum()
    assert smooth.sum() == pytest.approx(coarse.sum(), rel=0.06)


def test_smoothing_is_as_wide_in_mm_along_thick_slices() -> None:
    mask = np.zeros((9, 33, 33), np.uint8)
    mask[4, 12:21, 12:21] = 1
    # One slice of 5 mm survives a Gaussian of 1 mm; one of 0.5 mm does not.
    assert cleaned(mask, "smooth:1mm", voxel=(5.0, 1.0, 1.0))[4, 16, 16] == 1
    assert not cleaned(mask, "smooth:1mm", voxel=(0.5, 1.0, 1.0)).any()


def test_smoothing_leaves_no_gap_between_classes_and_no_class_invents_another() -> None:
    mask = np.zeros((20, 40, 40), np.uint8)
    mask[4:16, 4:36, 4:36] = 1
    mask[4:16, 4:36, 20:36] = 2
    mask[4:16, 20:36, 4:20] = 5
    smooth = cleaned(mask, "smooth:1.5mm", names=tuple("abcde"))
    assert set(np.unique(smooth)) == {0, 1, 2, 5}
    assert smooth[10, 10:30, 10:30].all()


def test_smoothing_one_class_leaves_the_others_as_they_are() -> None:
    rng = np.random.default_rng(0)
    mask = (rng.random((12, 20, 20)) > 0.5).astype(np.uint8)
    mask[:, :, 10:] *= 2
    smooth = cleaned(mask, "smooth:1.2mm@a", names=("a", "b"))
    assert np.array_equal(smooth == 2, mask == 2)
    assert not np.array_equal(smooth == 1, mask == 1)


def test_a_smooth_border_at_the_edge_of_the_scan_stays_there() -> None:
    mask = np.zeros((8, 20, 20), np.uint8)
    mask[:, :10] = 1
    assert np.array_equal(cleaned(mask, "smooth:2mm"), mask)


@pytest.mark.parametrize("step", ["smooth:1.3mm", "close:2mm", "open:1.5mm", "grow:2.5mm", "shrink:1.2mm"])
def test_slabs_give_the_result_of_the_whole(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.random.default_rng(3).integers(0, 3, (40, 14, 14)).astype(np.uint8)
    mask[:, 3:9, 3:9] = 1
    voxel = (1.1, 0.8, 0.9)
    whole = cleaned(mask, step, voxel=voxel)
    for module in ("smooth", "ball", "work"):
        name = "_VOXELS" if module == "smooth" else "SLAB_VOXELS"
        monkeypatch.setattr(f"napari_medpatch.infer.clean.{module}.{name}", 14 * 14 * 3)
    assert np.array_equal(cleaned(mask, step, voxel=voxel), whole)


def test_a_filled_or_closed_gap_that_is_another_class_stays_that_class() -> None:
    mask = np.zeros((7, 7, 7), np.uint8)
    mask[1:6, 1:6, 1:6] = 1
    mask[3, 3, 3], mask[3, 3, 2] = 2, 0
    for step in ("fill-holes@a", "close:2mm@a"):
        result = cleaned(mask, step, names=("a", "b"))
        assert result[3, 3, 3] == 2
        assert result[3, 3, 2] == 1


def test_merging_closes_up_the_values() -> None:
    mask = np.arange(5, dtype=np.uint8).reshape(1, 1, 5)
    result, names = clean(mask, ["merge:lung=b,d"], voxel=ISO, class_names=tuple("abcd"))
    assert result.ravel().tolist() == [0, 1, 2, 3, 2]
    assert names == ("a", "lung", "c")
    everything, names = clean(mask, ["merge:all"], voxel=ISO, class_names=tuple("abcd"))
    assert everything.ravel().tolist() == [0, 1, 1, 1, 1]
    assert names == ("all",)


@pytest.mark.parametrize(
    "text",
    [
        "largest:2", "drop:2ml@lung", "fill-holes", "fill-holes:slices@a,b", "smooth:1.5mm", "close:3mm", "open:2mm",
        "grow:1px", "shrink:1mm", "split-left-right@lung", "merge:lung=right lung,left lung", "hu:-1024..-300",
        "hu:..50", "hu:-200..@a",
    ],
)  # fmt: skip
def test_a_step_is_read_and_written_alike(text: str) -> None:
    assert str(parse_step(text)) == text


def test_every_step_says_what_it_is_and_has_an_example_that_can_be_read() -> None:
    for keyword, kind in STEPS.items():
        assert kind.title
        assert kind.tip
        assert parse_step(f"{keyword}:{kind.example}".rstrip(":")).keyword == keyword


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("polish", "no clean-up 'polish'; known are largest"),
        ("largest:0", "how many pieces"),
        ("largest:few", "how many pieces"),
        ("drop", "not a size"),
        ("smooth:2", "not a length"),
        ("fill-holes:all", "fill-holes:slices"),
        ("split-left-right:1", "takes no '1'"),
        ("hu:5..-5", "no range"),
        ("hu:..", "no range"),
        ("merge:=a", "needs a name"),
        ("largest:1@", "names no class"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        parse_steps([text])


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ("largest:1@liver", "the class 'liver', but the mask has lung"),
        ("hu:-900..-300", "give the CT volume"),
        ("drop:3um2", "give it in ml"),
    ],
)
def test_steps_that_do_not_fit_the_mask_are_refused(step: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        cleaned(two_cubes(), step, names=("lung",))


@pytest.mark.parametrize("keyword", [keyword for keyword in STEPS if keyword != "hu"])
def test_an_empty_mask_stays_empty(keyword: str) -> None:
    step = f"{keyword}:{STEPS[keyword].example}".rstrip(":")
    assert not cleaned(np.zeros((4, 5, 6), np.uint8), step).any()


def test_a_ball_that_would_take_hours_is_refused() -> None:
    with pytest.raises(SettingsError, match="grow:1000mm is too much"):
        cleaned(two_cubes(), "grow:1000mm")
