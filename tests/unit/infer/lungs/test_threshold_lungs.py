"""The classical lung model on simulated chests, cut and turned in every way, and on what is no chest."""

from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from napari_medpatch.errors import BundleError
from napari_medpatch.infer.lungs.air import find_air, find_trunk
from napari_medpatch.infer.lungs.threshold_lungs import FoundLungs, ThresholdSettings, find_lungs
from napari_medpatch.samples import make_thorax

EDGE = 4.0
"""Coarser than the model works, for the sake of time."""


@lru_cache(maxsize=1)
def chest() -> Any:
    return make_thorax((90, 84, 100), spacing=(EDGE,) * 3, seed=7)


def ran(steps: Any) -> Any:
    """Run a generator and return its result."""
    while True:
        try:
            assert 0 <= next(steps) <= 1
        except StopIteration as end:
            return end.value


def lungs_of(hu: np.ndarray, **settings: float) -> FoundLungs:
    values = {"neck_mm": EDGE, **settings}
    return ran(find_lungs(hu.astype(np.float32), EDGE, ThresholdSettings(**values)))


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    return 2 * float((found & truth).sum()) / float(found.sum() + truth.sum())


def test_both_lungs_are_found_with_their_vessels_and_without_windpipe_and_heart() -> None:
    found = lungs_of(chest().hu)
    assert dice(found.lungs, chest().lungs) > 0.95
    assert found.lungs[chest().labels == 6].mean() > 0.8
    assert found.lungs[chest().labels == 5].mean() < 0.03
    trachea = (chest().labels == 4) & (np.arange(90)[:, None, None] > 60)
    assert found.lungs[trachea].mean() < 0.2
    assert not (found.aerated & ~found.lungs).any()


def test_the_result_is_the_same_every_time() -> None:
    assert np.array_equal(lungs_of(chest().hu).lungs, lungs_of(chest().hu).lungs)


@pytest.mark.parametrize(
    ("name", "cut"),
    [
        ("face down", np.s_[:, ::-1, ::-1]),
        ("upper half", np.s_[45:]),
        ("lower half", np.s_[:45]),
        ("ten slices", np.s_[40:50]),
        ("left side only", np.s_[:, :, 50:]),
        ("through both lungs", np.s_[:, 20:62, 24:76]),
    ],
)
def test_any_part_of_a_chest_in_any_posture_is_enough(name: str, cut: Any) -> None:
    found = lungs_of(np.ascontiguousarray(chest().hu[cut]))
    assert dice(found.lungs, chest().lungs[cut]) > 0.9, name


@pytest.mark.parametrize("padding", [-2000, -1024, 0])
def test_a_round_field_of_view_may_cut_the_lungs(padding: int) -> None:
    y, x = np.mgrid[:84, :100]
    disc = np.hypot(y - 42, x - 50) < 36
    hu = np.clip(np.where(disc, chest().hu, padding), -1024, 600)
    found = lungs_of(hu)
    assert dice(found.lungs, chest().lungs & disc) > 0.9


def test_noise_does_not_matter_much() -> None:
    noisy = chest().hu + np.random.default_rng(0).normal(0, 60, chest().hu.shape)
    assert dice(lungs_of(noisy).lungs, chest().lungs) > 0.93


def body(shape: tuple[int, int, int] = (40, 50, 60)) -> np.ndarray:
    """A trunk of soft tissue in air."""
    _, y, x = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    inside = ((y - 25) / 18) ** 2 + ((x - 30) / 26) ** 2 < 1
    rng = np.random.default_rng(0)
    return (np.where(inside, 40, -1000) + rng.normal(0, 12, shape)).astype(np.float32)


def test_bowel_gas_is_no_lung() -> None:
    hu = body()
    hu[10:24, 15:30, 20:40] = -990 + np.random.default_rng(1).normal(0, 12, (14, 15, 20))
    assert not lungs_of(hu).lungs.any()


def test_a_cushion_as_light_as_lung_is_no_lung() -> None:
    hu = body()
    hu[:, 45:50] = -880
    assert not lungs_of(hu).lungs.any()


@pytest.mark.parametrize("value", [-1000.0, 40.0, 0.0])
def test_nothing_is_found_in_nothing(value: float) -> None:
    assert not lungs_of(np.full((12, 20, 20), value)).lungs.any()


def test_a_dent_of_a_vessel_is_closed_but_a_wide_one_is_not() -> None:
    hu = body()
    hu[5:35, 15:37, 14:34] = -850
    hu[20, 32, 14:26] = 40
    hu[5:35, 15:26, 25:34] = 40
    found = lungs_of(hu, closing_mm=8.0)
    assert found.lungs[20, 32, 16:34].all()
    assert not found.lungs[20, 16:22, 29:33].any()


def test_air_around_is_told_from_air_inside_slice_by_slice() -> None:
    hu = body()
    hu[10:20, 20:30, 25:35] = -900
    # A mouth: in one slice the air inside reaches the air around.
    hu[20, 20:30, 25:60] = -900
    hu[10:21, 24:26, 28:30] = -900
    air = ran(find_air(hu, -400.0))
    assert air.inside[15, 25, 30]
    assert air.outside[15, 2, 2]
    assert air.level == pytest.approx(-1000, abs=30)


def test_the_trunk_is_found_without_the_table() -> None:
    hu = body()
    hu[:, 46:48] = -150
    hu[10:20, 20:30, 25:35] = -850
    trunk = ran(find_trunk(hu, 2.0))
    assert trunk[15, 25, 30]
    assert not trunk[:, 46:48].any()


@pytest.mark.parametrize("values", [{"air": -400}, {"air_hu": "dark"}, {"closing_mm": True}])
def test_settings_that_make_no_sense_are_refused(values: dict) -> None:
    with pytest.raises(BundleError, match="known are air_hu, closing_mm, neck_mm, smallest_ml, all numbers"):
        ThresholdSettings.from_mapping(values, "m")
