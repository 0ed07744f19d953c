"""How the segments of a DICOM-SEG were made goes with them through other formats and through cleaning."""

from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from dicom_cases import write_series
from pydicom.sr.codedict import codes
from test_dicom_seg import STUDY

from napari_medpatch.events import Noted, run
from napari_medpatch.infer.clean.files import clean_file
from napari_medpatch.io.convert import exporting_path
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.dicom_segments import Maker
from napari_medpatch.io.export import export_path, write_mask
from napari_medpatch.io.export_options import ExportOptions
from napari_medpatch.io.read_volume import read_note
from napari_medpatch.io.segment_facts import seg_note

NAMES = ("left lung", "liver")
GROWING = hd.AlgorithmIdentificationSequence("GrowCut", codes.DCM.NeighborhoodAnalysis, "7.1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_series(tmp_path / "ct", **STUDY)


def written(folder: Path, path: Path, *kinds: str) -> Path:
    """A DICOM-SEG of another maker with a segment per kind, as highdicom's guide writes it."""
    described = [
        hd.seg.SegmentDescription(
            number,
            NAMES[number - 1],
            codes.SCT.Tissue,
            codes.SCT.Organ,
            kind,
            None if kind == "MANUAL" else GROWING,
            tracking_uid=hd.UID(),
            tracking_id="t",
        )
        for number, kind in enumerate(kinds, start=1)
    ]
    source = open_source(folder)
    files = [pydicom.dcmread(file) for file in source.slice_files]
    for dataset in files:
        for name in ("PatientBirthDate", "PatientSex", "StudyTime", "AccessionNumber", "StudyID"):
            setattr(dataset, name, None)
        dataset.ReferringPhysicianName = None
    pixels = np.zeros((6, 5, 4), np.uint8)
    pixels[1:4, 1:4, 1:3] = 1
    pixels[5, 4, 3] = len(kinds)
    facts = {"manufacturer": "m", "manufacturer_model_name": "m", "software_versions": "1", "device_serial_number": "1"}
    hd.seg.Segmentation(files, pixels, "BINARY", described, hd.UID(), 9, hd.UID(), 1, **facts).save_as(path)
    return path


def told(path: Path) -> list[tuple[str, str | None]]:
    """Type and name of the algorithm of each segment, as a viewer reads them."""
    segments = hd.seg.segread(path).SegmentSequence
    return [(segment.SegmentAlgorithmType, segment.get("SegmentAlgorithmName")) for segment in segments]


@pytest.mark.parametrize(("kind", "name"), [("AUTOMATIC", "GrowCut"), ("SEMIAUTOMATIC", "GrowCut"), ("MANUAL", None)])
@pytest.mark.parametrize("by_way_of", [".nii.gz", ".seg.nrrd", ".mha", ".dcm"])
def test_the_way_a_segment_was_made_survives_other_formats(
    tmp_path: Path, folder: Path, kind: str, name: str | None, by_way_of: str
) -> None:
    first = written(folder, tmp_path / "theirs.dcm", kind)
    between = export_path(first, tmp_path / f"between{by_way_of}", like=folder)
    last = export_path(between, tmp_path / "ours.dcm", like=folder)
    assert told(last) == [(kind, name)]


def test_the_algorithm_keeps_its_version_and_its_family(tmp_path: Path, folder: Path) -> None:
    first = written(folder, tmp_path / "theirs.dcm", "AUTOMATIC")
    (segment,) = hd.seg.segread(export_path(first, tmp_path / "ours.dcm", like=folder)).SegmentSequence
    (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
    assert algorithm.AlgorithmVersion == "7.1"
    assert algorithm.AlgorithmFamilyCodeSequence[0].CodeMeaning == codes.DCM.NeighborhoodAnalysis.meaning


def test_each_segment_keeps_its_own_maker(tmp_path: Path, folder: Path) -> None:
    first = written(folder, tmp_path / "theirs.dcm", "AUTOMATIC", "MANUAL")
    assert told(export_path(first, tmp_path / "ours.dcm", like=folder)) == [("AUTOMATIC", "GrowCut"), ("MANUAL", None)]
    note = seg_note(first)
    assert note.class_names == NAMES
    assert note.provenance["made_by"] == "semiautomatic"
    assert note.provenance["segments"]["liver"] == {"made_by": "manual"}


def cleaned(path: Path, output: Path, *steps: str, **options: Any) -> Path:
    run(clean_file(path, output, steps, **options))
    return output


@pytest.mark.parametrize(("kind", "after"), [("AUTOMATIC", "AUTOMATIC"), ("MANUAL", "SEMIAUTOMATIC")])
def test_cleaning_keeps_what_is_known_and_no_longer_calls_it_manual(
    tmp_path: Path, folder: Path, kind: str, after: str
) -> None:
    first = written(folder, tmp_path / "theirs.dcm", kind)
    last = cleaned(first, tmp_path / "clean.dcm", "largest:1", like=folder)
    assert [found for found, _ in told(last)] == [after]


def test_new_classes_of_a_step_are_made_as_the_whole_was(tmp_path: Path, folder: Path) -> None:
    first = written(folder, tmp_path / "theirs.dcm", "AUTOMATIC", "AUTOMATIC")
    last = cleaned(first, tmp_path / "one.dcm", "merge:organs=left lung,liver", like=folder)
    assert told(last) == [("AUTOMATIC", "GrowCut")]
    mixed = written(folder, tmp_path / "mixed.dcm", "AUTOMATIC", "MANUAL")
    (one,) = told(cleaned(mixed, tmp_path / "two.dcm", "merge:organs=left lung,liver", like=folder))
    assert one[0] == "SEMIAUTOMATIC"


def test_what_the_user_says_counts_and_stays_with_the_mask(tmp_path: Path, folder: Path) -> None:
    first = written(folder, tmp_path / "theirs.dcm", "AUTOMATIC", "MANUAL")
    options = ExportOptions(made_by="manual")
    between = cleaned(first, tmp_path / "clean.nii.gz", "largest:9", like=folder, options=options)
    assert read_note(between).provenance["made_by"] == "manual"
    last = cleaned(first, tmp_path / "clean.dcm", "largest:9", like=folder, options=options)
    assert [kind for kind, _ in told(last)] == ["MANUAL", "MANUAL"]


def test_nobody_is_told_to_say_what_the_file_says(tmp_path: Path, folder: Path) -> None:
    first = written(folder, tmp_path / "theirs.dcm", "MANUAL")
    events = list(exporting_path(first, tmp_path / "ours.dcm", like=folder))
    assert not [event.message for event in events if isinstance(event, Noted) and "--made-by" in event.message]
    source = open_source(folder)
    plain = write_mask((source.data > -1000).astype(np.uint8), source, tmp_path / "plain.nii.gz")
    events = list(exporting_path(plain, tmp_path / "plain.dcm", like=folder))
    assert [event.message for event in events if isinstance(event, Noted) and "calls it manual" in event.message]


def test_a_model_whose_mask_was_cleaned_is_still_automatic() -> None:
    assert Maker.of({"model": "m", "clean_up": [{"steps": []}]}).kind == "automatic"
    assert Maker.of({"made_by": "manual", "clean_up": [{"steps": []}]}).kind == "semiautomatic"
    assert Maker.of({"made_by": "by magic", "model": "m"}).kind == "automatic"
    assert Maker.of({"clean_up": [{"steps": []}]}).kind == "semiautomatic"
    assert not Maker.of({"clean_up": [{"steps": []}]}).told


def test_what_a_program_found_and_somebody_corrected_is_semiautomatic() -> None:
    assert Maker.of({"made_by": "automatic", "model": "m", "edited": True}).kind == "semiautomatic"
    assert Maker.of({"made_by": "automatic", "model": "m", "edited": True}, "automatic").kind == "automatic"


@pytest.mark.parametrize("job", ["finetune", "interpolate"])
def test_what_a_program_makes_of_strokes_is_semiautomatic(job: str) -> None:
    for facts in ({"job": job}, {"job": job, "model": "m"}):
        maker = Maker.of(facts)
        assert (maker.kind, maker.told) == ("semiautomatic", True)
        assert maker.name
