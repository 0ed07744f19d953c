"""``lungs-threshold`` as a model: the same job, events and files as a network, at full resolution."""

import json
import shutil
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_medpatch import list_models, load_bundle, resolve_model, segment
from napari_medpatch.errors import BundleError
from napari_medpatch.events import BlockSegmented, Finished, Noted, run
from napari_medpatch.infer.segment import SegmentSettings
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.labels_file import read_labels
from napari_medpatch.models.bundle import Bundle
from napari_medpatch.samples import make_thorax

NAME = "lungs-threshold"


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    return 2 * float((found & truth).sum()) / float(found.sum() + truth.sum())


def coarse(tmp_path: Path) -> Bundle:
    """Return a copy that works at 4 mm, an eighth of the work."""
    return altered(tmp_path, {"spacing": [4.0] * 3, "network": {"neck_mm": 4.0}})


def altered(tmp_path: Path, change: Mapping[str, Any]) -> Bundle:
    """Return a copy of the model with another card."""
    shutil.copytree(resolve_model(NAME).path, tmp_path / "mine")
    path = tmp_path / "mine" / "config.json"
    config = json.loads(path.read_text())
    config["medpatch"] |= change
    path.write_text(json.dumps(config))
    return load_bundle(tmp_path / "mine")


def test_it_is_listed_like_any_model() -> None:
    (bundle,) = [bundle for bundle in list_models() if bundle.card.name == NAME]
    assert bundle.card.task == "segment-3d"
    assert bundle.card.class_names == ("background", "lung")
    assert (bundle.path / "README.md").is_file()


def test_a_chest_is_segmented_at_its_own_resolution(tmp_path: Path) -> None:
    thorax = make_thorax((60, 110, 130), spacing=(5.0, 3.0, 3.0), seed=3)
    source = ArraySource(thorax.hu, "volume", spacing=(5.0, 3.0, 3.0))
    events = list(segment(source, coarse(tmp_path), SegmentSettings(probabilities=True)))
    assert isinstance(events[-1], Finished)
    result = events[-1].result
    assert result.mask.shape == thorax.hu.shape
    assert dice(result.mask > 0, thorax.lungs) > 0.95
    filled = np.zeros_like(result.mask)
    for event in events:
        if isinstance(event, BlockSegmented):
            filled[event.box.slices] = event.labels
    assert np.array_equal(filled, result.mask)
    inside = result.probabilities[0] > 127
    assert dice(inside, result.mask > 0) > 0.95
    assert not [event for event in events if isinstance(event, Noted)]


def test_a_volume_without_lungs_gives_an_empty_mask_and_a_note() -> None:
    hu = np.full((30, 40, 40), -1000, np.int16)
    hu[:, 10:30, 10:30] = 40
    events = list(segment(ArraySource(hu, "volume", spacing=(3.0, 3.0, 3.0)), resolve_model(NAME)))
    assert not events[-1].result.mask.any()
    (note,) = [event for event in events if isinstance(event, Noted)]
    assert note.level == "warning"
    assert "lungs-threshold found no lung in" in note.message


def test_it_can_be_stopped_at_every_event(tmp_path: Path) -> None:
    thorax, bundle = make_thorax((20, 40, 48), spacing=(12.0, 8.0, 8.0)), coarse(tmp_path)
    source = ArraySource(thorax.hu[8:14], "volume", spacing=(12.0, 8.0, 8.0))
    *events, finished = segment(source, bundle)
    assert finished.result.mask.any()
    for stop in range(1, len(events), max(1, len(events) // 4)):
        job = segment(source, bundle, parts=tmp_path / "parts")
        for _ in range(stop):
            assert not isinstance(next(job), Finished)
        job.close()
        assert next(job, None) is None
    resumed = run(segment(source, bundle, parts=tmp_path / "parts"))
    assert np.array_equal(resumed.mask, finished.result.mask)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"spacing": [3.0, 2.0, 2.0]}, "one spacing in mm for all axes"),
        ({"network": {"levels": 3}}, "gives its network levels 3"),
        ({"intensity": {"kind": "zscore"}}, "hu_window"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(tmp_path: Path, change: dict, sentence: str) -> None:
    source = ArraySource(np.zeros((4, 5, 6), np.int16), "volume", spacing=(2.0, 2.0, 2.0))
    with pytest.raises(BundleError, match=sentence):
        run(segment(source, altered(tmp_path, change)))


def test_its_parameters_can_be_changed_in_a_copy(tmp_path: Path) -> None:
    thorax = make_thorax((30, 60, 70), spacing=(10.0, 6.0, 6.0), seed=3)
    source = ArraySource(thorax.hu, "volume", spacing=(10.0, 6.0, 6.0))
    bundle = coarse(tmp_path)
    darker = replace(bundle, card=replace(bundle.card, network={**bundle.card.network, "air_hu": -900.0}))
    assert run(segment(source, darker)).mask.sum() < run(segment(source, bundle)).mask.sum()


@pytest.mark.parametrize(
    ("image", "truth", "values", "least"),
    [
        ("ct/LIDC-IDRI-0001_ct_256.nii.gz", "ct/LIDC-IDRI-0001_lungs_derived_256.nii.gz", (1, 2), 0.975),
        ("ct/CIP_10002K_ct-64.nii.gz", "ct/CIP_10002K_lungs-64.nii.gz", (1, 2), 0.975),
        ("ct/totalseg_example_ct_sm.nii.gz", "ct/totalseg_example_seg.nii.gz", (10, 14), 0.94),
    ],
)
def test_real_lungs_are_found(real_data: Path, image: str, truth: str, values: tuple[int, int], least: float) -> None:
    with closing(open_source(real_data / image)) as source:
        labels = read_labels(real_data / truth, source)
        result = run(segment(source, resolve_model(NAME), SegmentSettings(probabilities=False)))
    assert dice(result.mask > 0, (labels >= values[0]) & (labels <= values[1])) > least


@pytest.mark.parametrize("image", ["ct/STS_001_ct_image.nii.gz", "odd/nifti/CT_AVM.nii.gz"])
def test_a_thigh_and_a_head_have_no_lungs(real_data: Path, image: str) -> None:
    with closing(open_source(real_data / image)) as source:
        events = list(segment(source, resolve_model(NAME), SegmentSettings(probabilities=False)))
    assert not events[-1].result.mask.any()
    assert "found no lung" in " ".join(event.message for event in events if isinstance(event, Noted))
