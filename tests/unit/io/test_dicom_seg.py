"""DICOM-SEG, read back with highdicom on the series it refers to."""

from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from dicom_cases import AXIAL, ORIGIN, SHAPE, SPACING, STEP, write_enhanced, write_series

from napari_medpatch.errors import OutputError
from napari_medpatch.events import Noted, run
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.export import check_output, write_mask, write_probabilities
from napari_medpatch.io.export_job import exporting_mask
from napari_medpatch.io.export_options import ExportOptions
from napari_medpatch.io.labels_file import read_labels

RNG = np.random.default_rng(0)
STUDY = {"StudyInstanceUID": "1.2.8", "PatientID": "P1", "PatientName": "Doe^Jane", "StudyDate": "20260102"}
OBLIQUE = tuple(np.round([0.8, 0.6, 0.0, -0.36, 0.48, 0.8], 6).tolist())
PLANES = {
    "axial": (AXIAL, (0.0, 0.0, 0.0)),
    "feet first": ((-1.0, 0, 0, 0, 1, 0), (0.0, 0.0, 0.0)),
    "sagittal": ((0.0, 1, 0, 0, 0, -1), (0.0, 0.0, 0.0)),
    "coronal": ((1.0, 0, 0, 0, 0, -1), (0.0, 0.0, 0.0)),
    "oblique": (OBLIQUE, (0.0, 0.0, 0.0)),
    "tilted gantry": (AXIAL, (0.0, 0.6, 0.0)),
}


@pytest.fixture
def axial(tmp_path):
    return open_source(write_series(tmp_path / "axial", **STUDY))


def some_mask(source, top: int = 3):
    return RNG.integers(0, top + 1, source.levels[0].shape).astype(np.uint8)


def uids_by_position(folder: Path) -> list[str]:
    """SOP instance UIDs along the normal, read without our code."""
    slices = [pydicom.dcmread(path) for path in folder.glob("*.dcm")]
    along = np.asarray(slices[0].ImageOrientationPatient, float)
    normal = np.cross(along[:3], along[3:])
    return [s.SOPInstanceUID for s in sorted(slices, key=lambda s: np.asarray(s.ImagePositionPatient, float) @ normal)]


def on_series(seg, folder: Path, **options) -> np.ndarray:
    return seg.get_pixels_by_source_instance(uids_by_position(folder), assert_missing_frames_are_empty=True, **options)


@pytest.mark.parametrize("plane", PLANES)
def test_segments_lie_on_their_slices(tmp_path, plane):
    orientation, drift = PLANES[plane]
    folder = write_series(tmp_path / "ct", orientation=orientation, drift=drift, **STUDY)
    source = open_source(folder)
    mask = some_mask(source)
    path = write_mask(mask, source, tmp_path / "m.dcm", class_names=("a", "b", "c"))
    seg = hd.seg.segread(path)
    pixels = on_series(seg, folder, combine_segments=True)
    assert np.array_equal(pixels, source.to_original(mask).transpose(2, 1, 0))
    assert np.array_equal(read_labels(path, source), mask)


@pytest.mark.parametrize("plane", PLANES)
def test_a_voxel_has_one_place_in_the_patient(tmp_path, plane):
    """The place by the DICOM formula (PS3.3 C.7.6.2.1.1) from the SEG is that of the volume's affine."""
    orientation, drift = PLANES[plane]
    source = open_source(write_series(tmp_path / "ct", orientation=orientation, drift=drift, **STUDY))
    z, y, x = (int(RNG.integers(n)) for n in source.levels[0].shape)
    mask = np.zeros(source.levels[0].shape, np.uint8)
    mask[z, y, x] = 1
    seg = hd.seg.segread(write_mask(mask, source, tmp_path / "m.dcm"))
    assert seg.NumberOfFrames == 1
    frame = seg.PerFrameFunctionalGroupsSequence[0]
    shared = seg.SharedFunctionalGroupsSequence[0]
    ((row, column),) = np.argwhere(seg.pixel_array.reshape(SHAPE[1:]))
    along = np.asarray(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    rows, columns = shared.PixelMeasuresSequence[0].PixelSpacing
    place = np.asarray(frame.PlanePositionSequence[0].ImagePositionPatient, float)
    place = place + along[:3] * column * columns + along[3:] * row * rows
    expected = (source.canonical_affine @ [x, y, z, 1])[:3] * (-1, -1, 1)
    np.testing.assert_allclose(place, expected, atol=1e-3)


def test_what_a_viewer_and_an_archive_are_told(tmp_path, axial):
    mask = np.zeros(axial.levels[0].shape, np.uint8)
    mask[1, 1:3], mask[4, 2] = 1, 2
    names, story = (
        ("left lung", "lung nodule"),
        {"model": "lungs-ct-unet3d", "provenance": {"weights_sha256": "abcdef0123456789"}},
    )
    path = write_mask(mask, axial, tmp_path / "m.dcm", class_names=names, provenance=story, colours=("#ff0000",))
    seg = hd.seg.segread(path)
    assert (seg.PatientID, seg.PatientName, seg.StudyInstanceUID) == ("P1", "Doe^Jane", "1.2.8")
    assert seg.FrameOfReferenceUID == "1.2.9"
    assert seg.ReferencedSeriesSequence[0].SeriesInstanceUID == "1.2.3"
    assert len(seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence) == 6
    assert seg.SeriesInstanceUID != "1.2.3"
    assert (seg.Modality, seg.SegmentationType, seg.NumberOfFrames) == ("SEG", "BINARY", 2)
    assert seg.SeriesDescription == "MedPatch: lungs-ct-unet3d"
    lung, nodule = seg.SegmentSequence
    assert (lung.SegmentLabel, nodule.SegmentLabel) == names
    kind = lung.SegmentedPropertyTypeCodeSequence[0]
    assert (kind.CodeValue, kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning) == ("39607008", "Left")
    assert nodule.SegmentedPropertyCategoryCodeSequence[0].CodeMeaning == "Morphologically Abnormal Structure"
    assert nodule.AnatomicRegionSequence[0].CodeMeaning == "Lung"
    assert (lung.SegmentAlgorithmType, lung.SegmentAlgorithmName) == ("AUTOMATIC", "lungs-ct-unet3d")
    algorithm = lung.SegmentationAlgorithmIdentificationSequence[0]
    assert (algorithm.AlgorithmVersion, algorithm.AlgorithmFamilyCodeSequence[0].CodeMeaning) == (
        "abcdef012345",
        "Artificial Intelligence",
    )
    assert lung.TrackingUID != nodule.TrackingUID
    assert lung.TrackingID == "MedPatch left lung"
    colour = hd.color.CIELabColor.from_dicom_value(lung.RecommendedDisplayCIELabValue).to_rgb()
    np.testing.assert_allclose(colour, (255, 0, 0), atol=2)


@pytest.mark.parametrize(
    ("story", "made_by", "kind"),
    [
        ({}, None, "MANUAL"),
        ({"model": "m"}, None, "AUTOMATIC"),
        ({"model": "m", "provenance": {"interpolated": 3}}, None, "SEMIAUTOMATIC"),
        ({"model": "m"}, "manual", "MANUAL"),
        ({}, "automatic", "AUTOMATIC"),
    ],
)
def test_who_made_a_mask(tmp_path, axial, story, made_by, kind):
    options = ExportOptions(made_by=made_by)
    events = list(exporting_mask(some_mask(axial), axial, tmp_path / "m.dcm", provenance=story, options=options))
    (segment, *_) = hd.seg.segread(tmp_path / "m.dcm").SegmentSequence
    assert segment.SegmentAlgorithmType == kind
    assert ("SegmentAlgorithmName" in segment) == (kind != "MANUAL")
    said = [event.message for event in events if isinstance(event, Noted)]
    assert bool(said) == (not story and made_by is None)


def test_rules_without_weights_are_no_artificial_intelligence(tmp_path, axial):
    story = {"model": "lungs-threshold", "weights_sha256": None}
    (segment, *_) = hd.seg.segread(
        write_mask(some_mask(axial), axial, tmp_path / "m.dcm", provenance=story)
    ).SegmentSequence
    (family,) = segment.SegmentationAlgorithmIdentificationSequence[0].AlgorithmFamilyCodeSequence
    assert family.CodeMeaning == "Morphological Operations"


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_probabilities_are_fractions(tmp_path, axial, dtype):
    maps = RNG.integers(0, 256, (2, *axial.levels[0].shape)).astype(np.uint8)
    given = maps if dtype == np.uint8 else (maps / 255).astype(np.float32)
    seg = hd.seg.segread(write_probabilities(given, axial, tmp_path / "p.dcm", class_names=("lung", "heart")))
    assert (seg.SegmentationType, seg.SegmentationFractionalType) == ("FRACTIONAL", "PROBABILITY")
    pixels = on_series(seg, axial.path, rescale_fractional=False)
    expected = [axial.to_original(one).transpose(2, 1, 0) for one in maps]
    assert np.array_equal(np.moveaxis(pixels, -1, 0), expected)


def test_one_file_per_class(tmp_path, axial):
    mask = some_mask(axial, 2)
    job = exporting_mask(
        mask, axial, tmp_path / "m.dcm", class_names=("a", "b", "c"), options=ExportOptions(per_class=True)
    )
    paths = run(job).paths
    assert [path.name for path in paths] == ["m-a.dcm", "m-b.dcm"]
    seg = hd.seg.segread(paths[1])
    assert (seg.number_of_segments, seg.SegmentSequence[0].SegmentLabel) == (1, "b")
    assert np.array_equal(read_labels(paths[1], axial), mask == 2)


def test_an_empty_class_is_a_segment_without_frames(tmp_path, axial):
    mask = (some_mask(axial, 1) * 2).astype(np.uint8)
    seg = hd.seg.segread(write_mask(mask, axial, tmp_path / "m.dcm", class_names=("a", "b", "c")))
    assert seg.number_of_segments == 3
    assert {
        f.SegmentIdentificationSequence[0].ReferencedSegmentNumber for f in seg.PerFrameFunctionalGroupsSequence
    } == {2}


def test_an_enhanced_file_is_referred_to_by_frame(tmp_path):
    places = [5.0, 0.0, 2.5]
    values = np.arange(3 * 5 * 4).reshape(3, 5, 4).astype(np.int16)
    path = write_enhanced(tmp_path / "ct" / "e.dcm", values, places)
    dataset = pydicom.dcmread(path)
    dataset.update({"StudyInstanceUID": "1.2.8"})
    dataset.save_as(path)
    source = open_source(path)
    mask = some_mask(source)
    written = write_mask(mask, source, tmp_path / "m.dcm", class_names=("a", "b", "c"))
    seg = hd.seg.segread(written)
    pixels = seg.get_pixels_by_source_frame(dataset.SOPInstanceUID, [2, 3, 1], combine_segments=True)
    assert np.array_equal(pixels, source.to_original(mask).transpose(2, 1, 0))
    assert np.array_equal(read_labels(written, source), mask)


def test_a_missing_slice_is_said(tmp_path):
    folder = write_series(tmp_path / "ct", places=[n * STEP for n in (0, 1, 2, 4, 5, 6)], **STUDY)
    source = open_source(folder)
    mask = np.ones(source.levels[0].shape, np.uint8)
    events = list(exporting_mask(mask, source, tmp_path / "m.dcm", provenance={"model": "m"}))
    assert len(mask) == 7
    (said,) = [event.message for event in events if isinstance(event, Noted)]
    assert "1 of 7 slices have no file" in said
    expected = mask.copy()
    expected[3] = 0
    assert np.array_equal(read_labels(tmp_path / "m.dcm", source), expected)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"StudyInstanceUID": None}, "does not identify the study"),
        ({**STUDY, "FrameOfReferenceUID": None}, "does not identify the frame of reference"),
    ],
)
def test_a_series_without_identifiers_cannot_be_referred_to(tmp_path, changes, sentence):
    source = open_source(write_series(tmp_path / "ct", **changes))
    with pytest.raises(OutputError, match=sentence):
        check_output(tmp_path / "m.dcm", source)
    with pytest.raises(OutputError, match=sentence):
        write_mask(some_mask(source), source, tmp_path / "m.dcm")
    assert [path.name for path in tmp_path.iterdir()] == ["ct"]


@pytest.mark.parametrize(
    "changes",
    [
        {"PatientSex": "U", "StudyTime": ""},
        {"SliceThickness": None, "SeriesNumber": None},
        {"PatientName": "x" * 60, "SeriesNumber": 2**31 - 1},
        {"SpecificCharacterSet": "ISO_IR 192", "PatientName": "山田^太郎"},
        dict.fromkeys(("PatientID", "PatientName", "StudyDate")),
    ],
    ids=str,
)
def test_headers_that_are_slightly_wrong_are_no_obstacle(tmp_path, changes):
    source = open_source(write_series(tmp_path / "ct", **STUDY | changes))
    mask = some_mask(source)
    path = write_mask(mask, source, tmp_path / "m.dcm")
    assert np.array_equal(read_labels(path, source), mask)
    measures = hd.seg.segread(path).SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert measures.SliceThickness == STEP


def test_an_empty_mask_and_a_source_that_is_no_series_are_one_sentence(tmp_path, axial):
    with pytest.raises(OutputError, match="the mask is empty"):
        write_mask(some_mask(axial) * 0, axial, tmp_path / "m.dcm")
    plain = ArraySource(np.zeros(SHAPE, np.int16), "volume", spacing=(STEP, *SPACING))
    with pytest.raises(OutputError, match=r"refers to the DICOM series .* is array; .*--like"):
        write_mask(some_mask(plain), plain, tmp_path / "m.dcm")
    assert not (tmp_path / "m.dcm").exists()
    assert axial.canonical_affine[2, 3] == pytest.approx(ORIGIN[2])


def test_a_real_series(tmp_path, real_data):
    folder = real_data / "ct" / "LIDC-IDRI-0001_dicom_16slices"
    source = open_source(folder)
    mask = (source.data < -400).astype(np.uint8)
    mask[:, 300:] *= 2
    path = write_mask(mask, source, tmp_path / "m.dcm", class_names=("lung", "other"), provenance={"model": "m"})
    assert np.array_equal(read_labels(path, source), mask)
    pixels = on_series(hd.seg.segread(path), folder, combine_segments=True)
    assert np.array_equal(pixels, source.to_original(mask).transpose(2, 1, 0))


def test_a_segmentation_beside_its_slices_changes_neither_series_nor_file(tmp_path, axial):
    mask = some_mask(axial)
    with pytest.raises(OutputError, match="it is the image itself"):
        write_mask(mask, axial, axial.slice_files[2])
    path = write_mask(mask, axial, axial.path / "seg.dcm")
    again = open_source(axial.path)
    assert np.array_equal(again.data, axial.data)
    assert np.array_equal(read_labels(path, again), mask)
