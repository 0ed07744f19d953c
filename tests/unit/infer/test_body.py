"""What may be left out of a CT volume as air, and what never is."""

from pathlib import Path

import numpy as np
import pytest
from unet_bundles import HU, darkness, random_unet
from volumes_of_noise import sweep_in_slabs

from napari_medpatch.events import BlockSegmented, Started, run
from napari_medpatch.geometry import Box
from napari_medpatch.infer.body import find_body
from napari_medpatch.infer.segment import SegmentSettings, segment
from napari_medpatch.io.array_source import ArraySource

SHAPE = (40, 60, 80)
BODY = (slice(8, 32), slice(15, 40), slice(30, 60))


def patient(*, noise: float = 0.0) -> np.ndarray:
    """A block of soft tissue with a lung in it, in air; 4 mm voxels."""
    hu = np.full(SHAPE, -1000.0)
    hu[BODY] = 40
    hu[12:28, 20:35, 36:54] = -850
    return (hu + np.random.default_rng(0).normal(0, noise, SHAPE)).astype(np.int16)


def source(hu: np.ndarray, spacing: float = 4.0) -> ArraySource:
    return ArraySource(hu, "volume", (spacing,) * 3)


def holds(box: Box, other: tuple[slice, ...]) -> bool:
    return all(a <= part.start and part.stop <= b for a, b, part in zip(box.start, box.stop, other, strict=True))


@pytest.mark.parametrize("noise", [0.0, 60.0])
def test_the_rectangle_holds_the_patient_and_leaves_air_out(noise: float) -> None:
    body = find_body(patient(noise=noise), (4.0,) * 3)
    assert body is not None
    box = body.crop(Box.whole(SHAPE))
    assert holds(box, BODY)
    assert box == Box((3, 10, 25), (37, 45, 65))
    assert body.crop(Box((0, 0, 0), (3, 60, 80))).size == 0
    assert body.crop(Box((10, 0, 0), (20, 9, 80))).size == 0
    assert body.crop(Box((10, 20, 70), (20, 30, 80))).size == 0
    inside_the_lung = Box((16, 22, 40), (20, 26, 44))
    assert body.crop(inside_the_lung) == inside_the_lung


def test_fine_voxels_give_the_same_place() -> None:
    fine = patient(noise=60).repeat(4, 0).repeat(4, 1).repeat(4, 2)[:-1, :-2, :-3]
    body = find_body(fine, (1.0,) * 3)
    assert body is not None
    assert body.crop(Box.whole(fine.shape)) == Box((12, 40, 100), (148, 180, 260))


def test_arms_beside_the_trunk_and_fingers_count() -> None:
    hu = patient()
    hu[10:20, 20:25, 70:73] = 40  # 4.8 ml, apart from the trunk
    hu[2, 2, 2] = 900  # a wire
    body = find_body(hu, (4.0,) * 3)
    assert body is not None
    assert body.crop(Box.whole(SHAPE)).stop[2] == 78
    assert body.crop(Box.whole(SHAPE)).start[0] == 3


def test_lung_cut_off_by_the_field_of_view_keeps_that_side() -> None:
    hu = patient()
    hu[12:28, 20:35, :40] = -850
    body = find_body(hu, (4.0,) * 3)
    assert body is not None
    box = body.crop(Box.whole(SHAPE))
    assert box.start[2] == 0
    assert box.stop[2] == 65


def test_without_anything_dense_nothing_is_said() -> None:
    assert find_body(np.full((10, 10, 10), -1000, np.int16), (1.0,) * 3) is None
    assert find_body(np.full((10, 10, 10), np.nan, np.float32), (1.0,) * 3) is None


@pytest.mark.parametrize("way", ["once", "sweep", "blocks"])
def test_leaving_air_out_changes_nothing_in_the_patient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    if way == "sweep":
        sweep_in_slabs(monkeypatch, 20_000)
    voxels = 60_000 if way == "blocks" else None
    bundle = random_unet(tmp_path / "net", levels=2, spacing=(4.0,) * 3, spacing_unit="mm")
    volume = source(patient(noise=30))
    everything = run(segment(volume, bundle, SegmentSettings(block_voxels=voxels)))
    events = list(segment(volume, bundle, SegmentSettings(block_voxels=voxels, skip_air=True)))
    found, result = np.zeros(SHAPE, bool), events[-1].result
    for event in events:
        if isinstance(event, BlockSegmented):
            found[event.box.slices] = True
    assert result.provenance["pass"] == way
    assert found[BODY].all()
    assert np.array_equal(result.mask[found], everything.mask[found])
    assert not result.mask[~found].any()
    assert 0.3 < 1 - found.mean() == pytest.approx(result.provenance["air_skipped"], abs=1e-3)
    started = next(event for event in events if isinstance(event, Started))
    assert [event.done for event in events if isinstance(event, BlockSegmented)][-1] == started.total


def test_only_models_that_say_so_leave_air_out(tmp_path: Path) -> None:
    air = {"below": 0.1, "spacing": (4.0,) * 3, "spacing_unit": "mm"}
    plain = run(segment(source(patient()), darkness(tmp_path / "plain", **air)))
    assert plain.mask[0, 0, 0] == 1
    assert plain.provenance["air_skipped"] == 0
    told = darkness(tmp_path / "told", **air, intensity=HU | {"skip_air": True})
    skipped = run(segment(source(patient()), told))
    assert skipped.mask[0, 0, 0] == 0
    assert run(segment(source(patient()), told, SegmentSettings(skip_air=False))).mask[0, 0, 0] == 1


def test_real_patients_are_held(real_data: Path) -> None:
    from contextlib import closing

    from napari_medpatch.io.detect import open_source

    for name in ("LIDC-IDRI-0001_ct_256", "totalseg_example_ct", "STS_001_ct_image"):
        with closing(open_source(real_data / "ct" / f"{name}.nii.gz")) as scan:
            hu = scan.read(0, Box.whole(scan.levels[0].shape))
            body = find_body(hu, scan.spacing.values)  # type: ignore[union-attr]
        assert body is not None
        box = body.crop(Box.whole(hu.shape))
        outside = np.ones(hu.shape, bool)
        outside[box.slices] = False
        assert not (hu[outside] > 150).any()
