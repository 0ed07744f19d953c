from pathlib import Path

import numpy as np
import pytest
import torch
from foreign_folders import Darkness, write_folder
from unet_bundles import random_unet

from napari_medpatch.errors import GeometryError
from napari_medpatch.events import BlockSegmented, Started, Working, run
from napari_medpatch.infer.block_store import remove_blocks
from napari_medpatch.infer.segment import SegmentSettings, segment
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.bundle import Bundle, load_bundle

ALL = SegmentSettings(device="cpu", axis="all", uncertainty=True)


@pytest.fixture
def volume() -> ArraySource:
    hu = np.random.default_rng(0).integers(-1000, 400, (12, 14, 16)).astype(np.int16)
    return ArraySource(hu, "volume", (3.0, 1.0, 1.5))


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return random_unet(tmp_path / "net", "segment-2d", levels=2, class_names=("background", "a", "b"))


def test_probabilities_of_the_three_axes_are_averaged(volume: ArraySource, bundle: Bundle) -> None:
    single = [run(segment(volume, bundle, SegmentSettings(device="cpu", axis=axis))) for axis in (0, 1, 2)]
    fused = run(segment(volume, bundle, ALL))
    mean = np.mean([result.probabilities for result in single], axis=0)
    assert np.abs(fused.probabilities - mean).max() <= 1
    shares = np.concatenate([255 - mean.sum(axis=0, keepdims=True), mean])
    best, second = np.sort(shares, axis=0)[[-1, -2]]
    clear = best - second > 2
    np.testing.assert_array_equal(fused.mask[clear], shares.argmax(axis=0)[clear])
    assert fused.provenance["slice_axis"] == "all"
    assert fused.uncertainty is not None
    assert fused.uncertainty.max() > fused.uncertainty.min()


def test_events_show_one_job_whose_last_blocks_are_the_result(volume: ArraySource, bundle: Bundle) -> None:
    mask = np.full(volume.levels[0].shape, 99, np.uint8)
    done: list[float] = []
    started = 0
    for event in segment(volume, bundle, ALL):
        if isinstance(event, Started):
            started += 1
            total = event.total
        elif isinstance(event, BlockSegmented):
            mask[event.box.slices] = event.labels
            done.append(event.done)
        elif isinstance(event, Working):
            done.append(event.done)
    assert started == 1
    assert done == sorted(done)
    assert done[-1] == total
    np.testing.assert_array_equal(mask, run(segment(volume, bundle, ALL)).mask)


def test_maps_that_nobody_wants_are_not_sent(volume: ArraySource, bundle: Bundle) -> None:
    job = segment(volume, bundle, SegmentSettings(device="cpu", axis="all", probabilities=False))
    assert all(event.probabilities is None for event in job if isinstance(event, BlockSegmented))


def test_a_stopped_run_goes_on_with_the_axis_it_was_at(volume: ArraySource, bundle: Bundle, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    for event in (job := segment(volume, bundle, ALL, parts=parts)):
        if isinstance(event, Working) and event.done > 150:
            job.close()
            break
    assert any((parts / "axis-0").glob("*.npz"))
    again = run(segment(volume, bundle, ALL, parts=parts))
    np.testing.assert_array_equal(again.mask, run(segment(volume, bundle, ALL)).mask)
    remove_blocks(parts)
    assert not parts.exists()


def test_the_cards_rules_clean_the_average(tmp_path: Path) -> None:
    hu = np.full((12, 14, 16), 40, np.int16)
    hu[2:8, 3:9, 4:12] = -1000
    hu[5, 6, 8] = 40
    hu[10, 12, 14] = -1000
    folder = write_folder(
        tmp_path / "dark", Darkness(ndim=2), task="segment-2d", network={},
        postprocess={"fill_holes": True, "min_component_ml": 0.01},
    )  # fmt: skip
    result = run(segment(ArraySource(hu, "volume", (1, 1, 1)), load_bundle(folder), ALL))
    expected = np.zeros(hu.shape, np.uint8)
    expected[2:8, 3:9, 4:12] = 1
    np.testing.assert_array_equal(result.mask, expected)
    undone = result.mask.copy()
    result.cleaned.delta.undo(undone)
    np.testing.assert_array_equal(undone, np.where(hu < 0, 1, 0))


class TwoLayers(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([(0.9 - x) * 50, (0.2 - x) * 20], dim=1)


def test_overlapping_classes_are_averaged_by_themselves(tmp_path: Path) -> None:
    hu = np.full((8, 9, 10), 40, np.int16)
    hu[2:5, 3:6, 4:7] = -1000
    folder = write_folder(
        tmp_path / "two", TwoLayers(), task="segment-2d", class_names=["background", "soft", "air"],
        network={"activation": "sigmoid", "priority": ["air", "soft"]},
    )  # fmt: skip
    result = run(segment(ArraySource(hu, "volume", (1, 1, 1)), load_bundle(folder), ALL))
    np.testing.assert_array_equal(result.mask, np.where(hu < 0, 2, 1))
    assert (result.probabilities[:, 3, 4, 5] > 240).all()


def test_all_axes_mean_nothing_to_a_3d_model(volume: ArraySource, tmp_path: Path) -> None:
    bundle = random_unet(tmp_path / "net")
    result = run(segment(volume, bundle, ALL))
    assert result.provenance["slice_axis"] is None


def test_an_axis_that_does_not_exist_is_one_sentence(volume: ArraySource, bundle: Bundle) -> None:
    with pytest.raises(GeometryError, match="axes 0, 1 and 2, not 3"):
        run(segment(volume, bundle, SegmentSettings(device="cpu", axis=3)))
