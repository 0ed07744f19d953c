"""Volumes that are no CT, or show nothing, meet models of CT."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unet_bundles import card, darkness

from napari_medpatch.errors import GeometryError, WrongKindError
from napari_medpatch.events import Noted, run
from napari_medpatch.infer.scan_values import check_modality, value_notes
from napari_medpatch.infer.segment import SegmentSettings, segment
from napari_medpatch.io.array_source import ArraySource

ZSCORE = {"kind": "zscore"}
SETTINGS = SegmentSettings(device="cpu")


def volume(low: float = -1000, high: float = 400, **metadata: Any) -> ArraySource:
    values = np.linspace(low, high, 8 * 10 * 12).reshape(8, 10, 12).astype(np.int16)
    return ArraySource(values, "volume", (2.0, 1.0, 1.0), "scan.nii.gz", metadata=metadata)


@pytest.mark.parametrize("modality", ["MR", "PT", "NM", "US"])
def test_a_series_of_another_modality_is_refused_by_name(tmp_path: Path, modality: str) -> None:
    bundle = darkness(tmp_path / "model", below=0.5)
    with pytest.raises(WrongKindError, match=rf"\({modality}\), and model expects CT"):
        run(segment(volume(0, 900, modality=modality), bundle, SETTINGS))


@pytest.mark.parametrize("modality", ["CT", "", "OT"])
def test_ct_and_what_does_not_say_is_taken(modality: str) -> None:
    check_modality(volume(modality=modality), card())


def test_a_model_that_measures_the_volume_takes_any_modality() -> None:
    check_modality(volume(modality="MR"), card(intensity=ZSCORE))
    assert value_notes(volume(), card(intensity=ZSCORE), 0, 255) == []


def test_a_model_that_was_trained_on_mr_takes_mr_without_a_word() -> None:
    trained = card(intensity={"kind": "hu_window", "low": 0, "high": 900}, training={"value_unit": "arbitrary units"})
    check_modality(volume(modality="MR"), trained)
    assert value_notes(volume(0, 900), trained, 0, 900) == []


@pytest.mark.parametrize(
    ("low", "high", "noted"),
    [(-1000, 400, False), (-1024, 3071, False), (0, 255, True), (0, 4095, True), (-150, 250, True), (-300, -200, True)],
)
def test_values_that_are_no_hu_are_told(low: float, high: float, noted: bool) -> None:
    notes = value_notes(volume(), card(), low, high)
    assert bool(notes) is noted
    assert not notes or f"between {low:g} and {high:g}" in notes[0]


@pytest.mark.parametrize("value", [-1000, 0, 400])
@pytest.mark.parametrize("spacing", [None, (2.0, 2.0, 2.0)])
def test_a_volume_of_one_value_is_refused_at_any_resolution(tmp_path: Path, value: int, spacing: Any) -> None:
    unit = {"spacing": spacing, "spacing_unit": "mm"} if spacing else {}
    bundle = darkness(tmp_path / "model", below=0.5, **unit)
    flat = ArraySource(np.full((8, 10, 12), value, np.int16), "volume", (3.0, 1.0, 1.0), "flat.nii.gz")
    with pytest.raises(WrongKindError, match=f"flat.nii.gz has the value {value} in every voxel"):
        run(segment(flat, bundle, SETTINGS))


def test_a_volume_of_nearly_one_value_is_not(tmp_path: Path) -> None:
    values = np.full((8, 10, 12), -1000, np.int16)
    values[4, 5, 6] = 40
    bundle = darkness(tmp_path / "model", below=0.5)
    events = list(segment(ArraySource(values, "volume", (1.0, 1.0, 1.0)), bundle, SETTINGS))
    assert events[-1].result.mask.sum() == values.size - 1
    assert not [event for event in events if isinstance(event, Noted) and "Hounsfield" in event.message]


def test_grey_values_from_0_to_255_are_segmented_with_a_warning(tmp_path: Path) -> None:
    bundle = darkness(tmp_path / "model", below=0.5)
    events = list(segment(volume(0, 255), bundle, SETTINGS))
    said = [event.message for event in events if isinstance(event, Noted)]
    assert any("between 0 and 255, which does not look like Hounsfield units" in sentence for sentence in said)
    assert events[-1].result.mask.shape == (8, 10, 12)


def test_what_a_coarse_copy_loses_does_not_make_a_volume_flat(tmp_path: Path) -> None:
    values = np.full((8, 10, 12), -1000, np.int16)
    values[4, 5, 6] = -999
    bundle = darkness(tmp_path / "model", below=0.5, spacing=(8.0, 8.0, 8.0), spacing_unit="mm")
    events = list(segment(ArraySource(values, "volume", (1.0, 1.0, 1.0)), bundle, SETTINGS))
    assert events[-1].result.mask.shape == values.shape


@pytest.mark.parametrize(
    ("spacing", "sentence"),
    [
        ((1e5, 1e5, 1e5), "voxels of 1e+05 × 1e+05 × 1e+05 mm, far larger than those that model works on"),
        ((5e3, 5e2, 5e2), "far larger"),
        ((1e-3, 1e-3, 1e-3), "so much smaller that the whole volume is less than one of them"),
    ],
)
def test_voxel_sizes_that_cannot_be_right_are_told_instead_of_running_out_of_memory(
    tmp_path: Path, spacing: tuple[float, ...], sentence: str
) -> None:
    bundle = darkness(tmp_path / "model", below=0.5, spacing=(2.0, 2.0, 2.0), spacing_unit="mm")
    values = np.random.default_rng(0).integers(-1000, 400, (40, 60, 60)).astype(np.int16)
    with pytest.raises(GeometryError) as caught:
        run(segment(ArraySource(values, "volume", spacing), bundle, SETTINGS))
    assert sentence in str(caught.value)


@pytest.mark.parametrize("spacing", [(10.0, 1.0, 1.0), (0.5, 5.0, 5.0), (25.0, 0.4, 0.4)])
def test_thick_slices_are_no_mistake(tmp_path: Path, spacing: tuple[float, ...]) -> None:
    bundle = darkness(tmp_path / "model", below=0.5, spacing=(2.0, 2.0, 2.0), spacing_unit="mm")
    values = np.random.default_rng(0).integers(-1000, 400, (6, 20, 24)).astype(np.int16)
    assert run(segment(ArraySource(values, "volume", spacing), bundle, SETTINGS)).mask.shape == (6, 20, 24)
