"""Enhanced multi-frame DICOM: each frame says where it lies in its functional groups."""

from typing import Any

from napari_medpatch.errors import DamagedFileError
from napari_medpatch.io.dicom_dataset import item, length, number, text, whole
from napari_medpatch.io.dicom_header import directions, pair, vector
from napari_medpatch.io.dicom_slice import DicomFile, DicomSlice
from napari_medpatch.io.reading import damaged

_MARKS = {
    "phase": [
        ("FrameContentSequence", "TemporalPositionIndex"),
        ("CardiacSynchronizationSequence", "NominalPercentageOfCardiacPhase"),
        ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
        ("TemporalPositionSequence", "TemporalPositionTimeOffset"),
    ],
    "echo": [("MREchoSequence", "EffectiveEchoTime")],
    "b-value": [("MRDiffusionSequence", "DiffusionBValue")],
    "stack": [("FrameContentSequence", "StackID")],
    "acquisition": [("FrameContentSequence", "FrameAcquisitionNumber")],
    "image type": [
        ("CTImageFrameTypeSequence", "FrameType"),
        ("MRImageFrameTypeSequence", "FrameType"),
        ("PETFrameTypeSequence", "FrameType"),
    ],
}


class Groups:
    """The functional groups of one frame: its own, then those that all frames share.

    Parameters
    ----------
    own, shared : pydicom Dataset or None
        Items of the two sequences.
    """

    def __init__(self, own: Any, shared: Any) -> None:
        self._own, self._shared = own, shared

    def get(self, name: str) -> Any:
        """Return the group ``name``, None if the frame has none."""
        found = item(self._own, name)
        return item(self._shared, name) if found is None else found


def frames_of(file: DicomFile, dataset: Any) -> list[DicomSlice]:
    """Return the frames of an enhanced image that lie in the patient's space.

    Parameters
    ----------
    file : DicomFile
        The file.
    dataset : pydicom Dataset
        Its header.

    Raises
    ------
    DamagedFileError
        If fewer frames are described than the file says it has.
    """
    count = whole(dataset, "NumberOfFrames", 1)
    described = len(dataset.PerFrameFunctionalGroupsSequence)
    if described < count:
        raise DamagedFileError(damaged(file.path, f"it describes {described} of its {count} frames"))
    shared = item(dataset, "SharedFunctionalGroupsSequence")
    groups = [Groups(item(dataset, "PerFrameFunctionalGroupsSequence", n), shared) for n in range(count)]
    frames = [_frame(file, dataset, group, n) for n, group in enumerate(groups)]
    return [frame for frame in frames if frame is not None]


def _frame(file: DicomFile, dataset: Any, groups: Groups, index: int) -> DicomSlice | None:
    position = vector(groups.get("PlanePositionSequence"), "ImagePositionPatient")
    turned = directions(groups.get("PlaneOrientationSequence"))
    if position is None or turned is None:
        return None
    measures, values = groups.get("PixelMeasuresSequence"), groups.get("PixelValueTransformationSequence")
    return DicomSlice(
        file=file,
        frame=index,
        rows=whole(dataset, "Rows"),
        columns=whole(dataset, "Columns"),
        position=position,
        along_row=turned[0],
        along_column=turned[1],
        spacing=pair(measures, "PixelSpacing"),
        thickness=length(measures, "SliceThickness"),
        distance=length(measures, "SpacingBetweenSlices"),
        slope=number(values, "RescaleSlope"),
        intercept=number(values, "RescaleIntercept"),
        has_table=False,
        location=None,
        order=index,
        marks=_marks(groups),
    )


def _marks(groups: Groups) -> dict[str, str]:
    marks = {}
    for mark, places in _MARKS.items():
        found = [value for group, name in places if (value := text(groups.get(group), name))]
        if found:
            marks[mark] = " ".join(found)
    return marks
