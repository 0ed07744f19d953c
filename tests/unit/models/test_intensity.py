from typing import Any

import numpy as np
import pytest
from monai.transforms import NormalizeIntensity, ScaleIntensityRange, ScaleIntensityRangePercentiles

from napari_medpatch.errors import BundleError
from napari_medpatch.models import intensity as module
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.intensity import intensity_of
from napari_medpatch.models.preprocess import normalise_volume


def card(**intensity: Any) -> ModelCard:
    return ModelCard("ct", "segment-3d", "unet", ("background", "lung"), in_channels=1, intensity=intensity)


@pytest.fixture
def volume() -> np.ndarray:
    rng = np.random.default_rng(0)
    values = rng.normal(-300, 400, (30, 20, 25)).round().astype(np.int16)
    values[:, :5] = 0
    return values


@pytest.mark.parametrize(
    ("intensity", "monai"),
    [
        (
            {"kind": "hu_window", "low": -57, "high": 164, "to": [-1, 1]},
            ScaleIntensityRange(-57, 164, -1, 1, clip=True),
        ),
        ({"kind": "hu_window", "low": -57, "high": 164, "clip": False}, ScaleIntensityRange(-57, 164, 0, 1)),
        ({"kind": "zscore"}, NormalizeIntensity()),
        ({"kind": "zscore", "nonzero": True}, NormalizeIntensity(nonzero=True)),
        ({"kind": "percentile", "lower": 2, "upper": 95}, ScaleIntensityRangePercentiles(2, 95, 0, 1, clip=True)),
        (
            {"kind": "percentile", "lower": 2, "upper": 95, "to": [0, 2], "clip": False},
            ScaleIntensityRangePercentiles(2, 95, 0, 2),
        ),
    ],
)
def test_values_are_those_of_monais_transform(intensity: dict[str, Any], monai: Any, volume: np.ndarray) -> None:
    expected = np.asarray(monai(volume[None].astype(np.float32)))[0]
    found = normalise_volume(volume, card(**intensity))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_mean_and_std_are_nnunets_ct_normalisation(volume: np.ndarray) -> None:
    found = normalise_volume(volume, card(kind="mean_std", low=-900, high=200, mean=-250.5, std=310.0))
    np.testing.assert_allclose(found, (np.clip(volume.astype(float), -900, 200) + 250.5) / 310, atol=1e-5)


def test_a_zscore_may_look_at_the_body_only(volume: np.ndarray) -> None:
    found = normalise_volume(volume, card(kind="zscore", above=-500, low=-800, high=100))
    body = np.clip(volume[volume > -500].astype(float), -800, 100)
    expected = (np.clip(volume.astype(float), -800, 100) - body.mean()) / body.std()
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["zscore", "percentile"])
def test_a_part_is_scaled_by_the_whole(kind: str, volume: np.ndarray) -> None:
    whole = normalise_volume(volume, card(kind=kind))
    part = normalise_volume(volume[3:7], card(kind=kind), intensity_of(card(kind=kind), volume))
    np.testing.assert_array_equal(part, whole[3:7])


def test_statistics_do_not_depend_on_slabs(volume: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = intensity_of(card(kind="zscore", nonzero=True), volume)
    monkeypatch.setattr(module, "_SLAB_VOXELS", 700)
    parts = intensity_of(card(kind="zscore", nonzero=True), volume)
    assert (parts.shift, parts.scale) == pytest.approx((whole.shift, whole.scale))


@pytest.mark.parametrize("kind", ["zscore", "percentile", "mean_std"])
def test_missing_and_constant_values_stay_finite(kind: str) -> None:
    extra = {"mean": 0, "std": 1} if kind == "mean_std" else {}
    for values in ([np.nan, 5.0, 9.0], [7.0, 7.0], [np.nan, np.nan], [np.inf, 1.0, 2.0]):
        found = normalise_volume(np.array(values), card(kind=kind, **extra))
        assert np.isfinite(found).all()


@pytest.mark.parametrize(
    ("intensity", "sentence"),
    [
        ({}, "needs an HU window or another"),
        ({"kind": "hu_window", "low": 5, "high": 5}, "needs low below high"),
        ({"kind": "hu_window", "low": "a", "high": 5}, "low must be a number"),
        ({"kind": "hu_window", "low": 0, "high": 5, "to": 3}, "two numbers"),
        ({"kind": "hu_window", "low": 0, "hihg": 5, "high": 6}, "not hihg"),
        ({"kind": "mean_std", "mean": 0, "std": 0}, "positive std"),
        ({"kind": "percentile", "lower": 99, "upper": 1}, "lower below upper"),
        ({"kind": "zscore", "low": 5, "high": 1}, "low must be below high"),
    ],
)
def test_a_wrong_intensity_is_one_sentence(intensity: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        intensity_of(card(**intensity), np.zeros(3))


def test_a_measured_kind_needs_the_volume() -> None:
    with pytest.raises(BundleError, match="give the volume"):
        intensity_of(card(kind="zscore"))
