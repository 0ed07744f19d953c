from pathlib import Path

import numpy as np
import pytest
from unet_bundles import darkness, random_unet

from napari_medpatch.errors import MissingSpacingError, WrongKindError
from napari_medpatch.events import BlockSegmented, Started, run
from napari_medpatch.geometry import Box, Spacing
from napari_medpatch.infer.segment import SegmentSettings, segment
from napari_medpatch.infer.segment_plan import fov_diameter
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.source import Level


def eye(height: int = 300, width: int = 400) -> tuple[ArraySource, np.ndarray, np.ndarray]:
    """A photograph with a round field of view and a dark bar; source, field, bar."""
    y, x = np.mgrid[:height, :width]
    field = (y - height / 2 + 0.5) ** 2 + (x - width / 2 + 0.5) ** 2 < (0.45 * height) ** 2
    bar = field & (np.abs(x - width / 2 - 20) < 12)
    rgb = np.where(bar, 60, 200)[..., None] * field[..., None] * np.ones(3)
    return ArraySource(rgb.astype(np.uint8), "photo", path="eye.png"), field, bar


class Pyramid(ArraySource):
    """A slide in memory with two further levels, which remembers what was read."""

    def __init__(self, rgb: np.ndarray, mpp: float) -> None:
        super().__init__(rgb, "slide", Spacing((mpp, mpp), "um", "test"))
        small = rgb[: rgb.shape[0] // 4 * 4, : rgb.shape[1] // 4 * 4]
        small = small.reshape(small.shape[0] // 4, 4, small.shape[1] // 4, 4, 3).mean((1, 3))
        self.small = ArraySource(small.astype(np.uint8), "slide")
        self.read_levels: set[int] = set()

    @property
    def levels(self) -> tuple[Level, ...]:
        return (*super().levels, Level(self.small.levels[0].shape, (4.0, 4.0)))

    def read(self, level: int, box: Box) -> np.ndarray:
        self.read_levels.add(level)
        return self.small.read(0, box) if level else super().read(0, box)


def blobs(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.sin(y / 23) * np.cos(x / 31) > 0.5


def slide(truth: np.ndarray, mpp: float = 0.5) -> Pyramid:
    return Pyramid((np.where(truth, 60, 220)[..., None] * np.ones(3)).astype(np.uint8), mpp)


def test_the_working_size_follows_the_field_of_view_and_outside_is_background(tmp_path: Path) -> None:
    source, field, bar = eye()
    bundle = darkness(
        tmp_path / "bars", below=0.5, task="segment-2d", in_channels=3, spacing=(1 / 100, 1 / 100), spacing_unit="fov"
    )
    result = run(segment(source, bundle))
    diameter = fov_diameter(source.fov_mask())
    assert abs(diameter - 270) <= 12
    assert result.provenance["working_shape"] == [round(300 * 100 / diameter + 0.5), round(400 * 100 / diameter + 0.5)]
    found = result.mask == 1
    assert found.shape == (300, 400)
    assert not found[~source.fov_mask()].any()
    assert not result.probabilities[0][~source.fov_mask()].any()
    # The rim of the field is half dark at the working resolution.
    inner = field.copy()
    inner[np.hypot(*(np.mgrid[:300, :400] - np.array([149.5, 199.5])[:, None, None])) > 120] = False
    assert (found & bar & inner).sum() / ((found | bar) & inner).sum() > 0.9


@pytest.mark.parametrize("steps", [(1.0, 1.0), (2.3, 2.3)])
def test_blocks_of_a_photograph_give_what_one_pass_gives(tmp_path: Path, steps: tuple[float, float]) -> None:
    rng = np.random.default_rng(0)
    rgb = np.clip(rng.normal(128, 60, (270, 300, 3)).cumsum(0) % 256, 0, 255).astype(np.uint8)
    source = ArraySource(rgb, "photo", Spacing((1.0, 1.0), "um", "test"))
    bundle = random_unet(tmp_path / "net", "segment-2d", in_channels=3, spacing=steps, spacing_unit="um")
    whole = run(segment(source, bundle))
    cut = run(segment(source, bundle, SegmentSettings(block_voxels=7000)))
    assert cut.provenance["blocks"] > whole.provenance["blocks"] == 1
    assert np.array_equal(whole.mask, cut.mask)
    assert np.abs(whole.probabilities.astype(int) - cut.probabilities).max() <= 1


def test_a_slides_mask_stays_at_the_working_resolution(tmp_path: Path) -> None:
    truth = blobs(600, 803)
    source = slide(truth)
    bundle = darkness(
        tmp_path / "dark", below=0.5, task="segment-2d", in_channels=3, spacing=(3.0, 3.0), spacing_unit="um"
    )
    events = list(segment(source, bundle, SegmentSettings(block_voxels=3000)))
    result = events[-1].result
    assert result.downsample == (6.0, 6.0)
    assert result.mask.shape == (100, 134)
    assert result.transform.scale == (3.0, 3.0)
    # 134 cells of 6 px cover 804 px, centred on 803: cell 0's centre is at 2 px, of 0.5 µm each.
    assert result.transform.translate == (1.25, 1.0)
    assert isinstance(events[0], Started)
    assert events[0].context["shape"] == (100, 134)
    assert events[0].context["transform"] == result.transform
    assert source.read_levels == {1}
    boxes = [event.box for event in events if isinstance(event, BlockSegmented)]
    assert len(boxes) > 1
    centres = np.clip(np.round(6 * np.arange(134) + 2).astype(int), 0, 802)
    expected = truth[np.ix_((6 * np.arange(100) + 3), centres)]
    assert (expected == (result.mask == 1)).mean() > 0.97


def test_a_fine_model_reads_the_fine_level(tmp_path: Path) -> None:
    truth = blobs(90, 120)
    source = slide(truth)
    bundle = darkness(
        tmp_path / "dark", below=0.5, task="segment-2d", in_channels=3, spacing=(0.5, 0.5), spacing_unit="um"
    )
    result = run(segment(source, bundle))
    assert source.read_levels == {0}
    assert np.array_equal(result.mask == 1, truth)


def test_pictures_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    eyes = darkness(
        tmp_path / "eyes", below=0.5, task="segment-2d", in_channels=3, spacing=(0.01, 0.01), spacing_unit="fov"
    )
    with pytest.raises(WrongKindError, match="is a slide, but eyes segments photographs of the eye"):
        run(segment(slide(blobs(40, 40)), eyes))
    tissue = darkness(
        tmp_path / "tissue", below=0.5, task="segment-2d", in_channels=3, spacing=(1.0, 1.0), spacing_unit="um"
    )
    with pytest.raises(MissingSpacingError, match="give the pixel size"):
        run(segment(eye()[0], tissue))


@pytest.mark.parametrize(("rows", "columns", "expected"), [((10, 40), (5, 55), 50), ((0, 60), (10, 50), 60)])
def test_the_diameter_is_the_longer_edge(rows: tuple[int, int], columns: tuple[int, int], expected: int) -> None:
    mask = np.zeros((60, 60), bool)
    mask[slice(*rows), slice(*columns)] = True
    assert fov_diameter(mask) == expected
    assert fov_diameter(np.zeros((30, 20), bool)) == 30
