"""The headers of the series that a DICOM-SEG refers to."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.errors import GeometryError, OutputError
from napari_medpatch.io.dicom_dataset import length
from napari_medpatch.io.reading import reading
from napari_medpatch.io.source import AnyArray, Source

_MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime"),
    *("AccessionNumber", "ReferringPhysicianName", "PositionReferenceIndicator"),
)
"""Attributes of type 2: they must be there, and anonymised files often lack them."""
_SEXES = ("", "M", "F", "O")
_NEEDED = {
    "StudyInstanceUID": "the study",
    "SeriesInstanceUID": "the series",
    "SOPInstanceUID": "each slice",
    "FrameOfReferenceUID": "the frame of reference",
}


@dataclass(frozen=True, slots=True)
class SeriesSlices:
    """Which file, and which frame of it, holds each slice of a series.

    Parameters
    ----------
    paths : tuple of Path or None
        In the order of slices; None where a slice is missing.
    frames : tuple of int or None
        From 0, in files of several frames.
    """

    paths: tuple[Path | None, ...]
    frames: tuple[int | None, ...]

    @classmethod
    def of(cls, source: Source) -> "SeriesSlices":
        """Return those of a DICOM series.

        Raises
        ------
        GeometryError
            If its slices lie in several files of several frames, which a DICOM-SEG cannot refer to frame by frame.
        """
        paths: tuple[Path | None, ...] = tuple(source.slice_files)  # type: ignore[attr-defined]
        frames = tuple(getattr(source, "slice_frames", (None,) * len(paths)))
        result = cls(paths, frames)
        if any(frame is not None for frame in frames) and len(result.files) > 1:
            raise GeometryError(
                f"The slices of {source.path} lie in {len(result.files)} files of several frames; a DICOM-SEG refers "
                "to one of them, so choose .nii.gz or .seg.nrrd."
            )
        return result

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, each once."""
        return tuple(dict.fromkeys(path for path in self.paths if path is not None))

    @property
    def missing(self) -> tuple[int, ...]:
        """Slices without a file."""
        return tuple(k for k, path in enumerate(self.paths) if path is None)

    def in_file_order(self, slices: AnyArray, frames: int) -> AnyArray:
        """Return slices as highdicom wants them: one per file, or one per frame of the one file.

        Parameters
        ----------
        slices : ndarray
            ``(slice, row, column)`` or more axes.
        frames : int
            Of the file; 1 for files of one image.
        """
        if all(frame is None for frame in self.frames):
            return slices[[k for k, path in enumerate(self.paths) if path is not None]]
        result = np.zeros((frames, *slices.shape[1:]), slices.dtype)
        for k, frame in enumerate(self.frames):
            if frame is not None:
                result[frame] = slices[k]
        return result


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """A series without its pixels.

    Parameters
    ----------
    folder : Path
        Where it lies.
    datasets : list
        pydicom data sets in the order of the slices.
    """

    folder: Path
    datasets: list[Any]

    @property
    def frames(self) -> int:
        """Frames of the first file."""
        return int(self.datasets[0].get("NumberOfFrames") or 1)

    @property
    def series_number(self) -> int:
        """Number of the series, 1 if it has none."""
        number = self.datasets[0].get("SeriesNumber")
        return int(number) if number not in (None, "") else 1


def check_identified(source: Source) -> None:
    """Raise now what :func:`read_source_files` would raise of a series, by its first file.

    Raises
    ------
    OutputError
        If its header lacks an identifier.
    GeometryError
        As :meth:`SeriesSlices.of`.
    """
    read_source_files(SeriesSlices.of(source).files[:1])


def read_source_files(paths: Sequence[Path], step_mm: float = 1.0) -> SourceFiles:
    """Read the headers; what may be empty and is missing is added empty.

    Parameters
    ----------
    paths : sequence of Path
        In the order of the slices.
    step_mm : float
        From slice to slice, for files that do not give their thickness.

    Raises
    ------
    OutputError
        If a header lacks an identifier that a reference needs.
    UnsupportedFormatError
        If a file is no longer there.
    """
    import pydicom

    from napari_medpatch.io.dicom_header import quiet_pydicom

    quiet_pydicom()
    # It remarks on names of people that are written without the sign between family and given name.
    warnings.filterwarnings("ignore", module=r"highdicom\.")
    datasets = []
    for path in paths:
        with reading(path):
            dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
        missing = [what for key, what in _NEEDED.items() if not dataset.get(key)]
        if missing:
            raise OutputError(
                f"{path} does not identify {missing[0]}, which a DICOM-SEG must refer to; choose .nii.gz or .seg.nrrd."
            )
        _repair(dataset, step_mm)
        datasets.append(dataset)
    return SourceFiles(paths[0].parent, datasets)


def _repair(dataset: Any, step_mm: float) -> None:
    """Make a header fit to be repeated: what may be empty is there, and empty where its value is none."""
    from pydicom.valuerep import DA, TM

    for key in _MAY_BE_EMPTY:
        if key not in dataset:
            setattr(dataset, key, None)
    if str(dataset.PatientSex or "") not in _SEXES:
        dataset.PatientSex = None
    for key, kind in (("StudyDate", DA), ("PatientBirthDate", DA), ("StudyTime", TM)):
        try:
            kind(dataset.get(key) or None)
        except ValueError:
            setattr(dataset, key, None)
    if "PerFrameFunctionalGroupsSequence" not in dataset:
        dataset.SliceThickness = length(dataset, "SliceThickness") or step_mm
