"""Read DICOM-SEG files of any maker as label volumes.

Each frame says where it lies, so that coronal, oblique and tilted segmentations land on their series, in whatever
order and number their frames come.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import DamagedFileError, GeometryError, LabelsError
from napari_medpatch.geometry import Spacing
from napari_medpatch.io.label_image import Labels
from napari_medpatch.io.lps import RAS_TO_LPS
from napari_medpatch.io.memory import MemorySource
from napari_medpatch.io.orientation import Affine
from napari_medpatch.io.reading import damaged, reading
from napari_medpatch.io.signature import read_head, signature
from napari_medpatch.io.source import AnyArray, Source
from napari_medpatch.io.volume_grid import VolumeGrid

SEGMENTATION_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""Segmentation Storage and Label Map Segmentation Storage."""

_OFF_BY_VOXELS = 0.25
_SAME_PLANE_MM = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class SegFrame:
    """One frame.

    Parameters
    ----------
    segment : int
        Its segment; 0 if the pixels are segment numbers themselves.
    position : ndarray
        LPS+ mm of the first pixel's centre.
    steps : ndarray
        (2, 3), LPS+ mm from one column to the next, and from one row to the next.
    pixels : ndarray
        ``(row, column) uint8``: 0 and 1, or segment numbers.
    """

    segment: int
    position: npt.NDArray[np.float64]
    steps: npt.NDArray[np.float64]
    pixels: AnyArray


class SegFile:
    """A DICOM-SEG that was opened.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    DamagedFileError
        If it is not a readable segmentation.
    LabelsError
        If it has more than 255 segments.
    """

    def __init__(self, path: Path) -> None:
        import highdicom as hd

        self.path = path
        with reading(path):
            try:
                self._dataset: Any = hd.seg.segread(path)
                self._names = {int(s.SegmentNumber): str(s.SegmentLabel) for s in self._dataset.SegmentSequence}
            except (ValueError, AttributeError, KeyError, TypeError) as error:
                raise DamagedFileError(damaged(path, f"no readable DICOM-SEG: {error}")) from error
        if max(self._names, default=0) > 255:
            raise LabelsError(f"{path} has segment {max(self._names)}; labels are whole numbers from 0 to 255.")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the segments 1, 2, …."""
        return tuple(self._names.get(n, f"class {n}") for n in range(1, max(self._names, default=0) + 1))

    @property
    def colours(self) -> tuple[str, ...]:
        """``#rrggbb`` of the segments 1, 2, …; empty text where the file recommends none."""
        from highdicom.color import CIELabColor

        result = dict.fromkeys(range(1, len(self.names) + 1), "")
        for segment in self._dataset.SegmentSequence:
            value = segment.get("RecommendedDisplayCIELabValue")
            if value is not None and len(value) == 3:
                rgb = CIELabColor.from_dicom_value(tuple(int(v) for v in value)).to_rgb()
                result[int(segment.SegmentNumber)] = "#{:02x}{:02x}{:02x}".format(*rgb)
        return tuple(result.values())

    @property
    def made(self) -> dict[str, dict[str, Any]]:
        """How each segment was made, by its name, as far as the file says.

        ``made_by`` (DICOM's SegmentAlgorithmType in small letters), ``model`` and ``version`` of the algorithm, and
        ``family``, its code as value, scheme and meaning.
        """
        return {str(segment.SegmentLabel): _maker(segment) for segment in self._dataset.SegmentSequence}

    def frames(self) -> Iterator[SegFrame]:
        """Yield the frames; of fractional ones, the pixels from one half on."""
        dataset = self._dataset
        with reading(self.path):
            try:
                shared = dataset.SharedFunctionalGroupsSequence[0]
                for index, own in enumerate(dataset.PerFrameFunctionalGroupsSequence, start=1):
                    yield self._frame(index, own, shared)
            except (AttributeError, KeyError, IndexError, ValueError, TypeError) as error:
                raise DamagedFileError(damaged(self.path, f"a frame does not say how it lies: {error}")) from error

    def _frame(self, index: int, own: Any, shared: Any) -> SegFrame:
        position = _macro(own, shared, "PlanePositionSequence").ImagePositionPatient
        along = np.asarray(_macro(own, shared, "PlaneOrientationSequence").ImageOrientationPatient, dtype=np.float64)
        between_rows, between_columns = _macro(own, shared, "PixelMeasuresSequence").PixelSpacing
        pixels = self._dataset.get_stored_frame(index)
        kind = str(self._dataset.SegmentationType)
        if kind == "FRACTIONAL":
            pixels = (pixels.astype(np.uint16) * 2 >= int(self._dataset.MaximumFractionalValue)).astype(np.uint8)
        segment = 0
        if kind != "LABELMAP":
            segment = int(_macro(own, shared, "SegmentIdentificationSequence").ReferencedSegmentNumber)
        steps = np.stack([along[:3] * float(between_columns), along[3:] * float(between_rows)])
        return SegFrame(segment, np.asarray(position, dtype=np.float64), steps, pixels)


def is_dicom_seg(path: Path) -> bool:
    """Return whether a file is a DICOM segmentation."""
    import pydicom

    if not path.is_file() or signature(read_head(path)) != "dicom":
        return False
    with reading(path):
        dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=["SOPClassUID"])
    return str(dataset.get("SOPClassUID", "")) in SEGMENTATION_CLASSES


def read_seg_labels(path: Path, source: Source) -> Labels:
    """Read a DICOM-SEG onto the grid of a volume.

    Parameters
    ----------
    path : Path
        The DICOM-SEG.
    source : Source
        A volume: the series, or the same scan in another format.

    Returns
    -------
    ndarray
        ``(Z, Y, X) uint8``, the segment's number.

    Raises
    ------
    GeometryError
        If frames do not lie on the volume's voxels, or not within it.
    LabelsError
        If segments overlap, which a label volume cannot hold.
    """
    grid: VolumeGrid | None = getattr(source, "grid", None)
    if grid is None or not grid.known:
        raise GeometryError(f"{path} lies in a patient, and {source.path} does not say where it lies; give its series.")
    return _paste(SegFile(path), RAS_TO_LPS @ grid.canonical_affine, source.levels[0].shape, str(source.path))


def seg_as_source(path: Path) -> MemorySource:
    """Return a volume that covers the frames of a DICOM-SEG and holds their labels, where the series is not at hand.

    Raises
    ------
    GeometryError
        If the frames are no stack of evenly spaced planes.
    """
    file = SegFile(path)
    frames = list(file.frames())
    grid = _stack(path, frames)
    labels = _paste(file, RAS_TO_LPS @ grid.canonical_affine, grid.canonical_shape, str(path))
    return MemorySource(
        path, "volume", labels, format="DICOM-SEG", spacing=Spacing(grid.spacing, "mm", "DICOM positions"), grid=grid
    )


def _maker(segment: Any) -> dict[str, Any]:
    """Return what a segment says of its making, without empty entries."""
    (algorithm, *_) = segment.get("SegmentationAlgorithmIdentificationSequence") or [{}]
    facts: dict[str, Any] = {
        "made_by": str(segment.get("SegmentAlgorithmType") or "").strip().lower(),
        "model": str(segment.get("SegmentAlgorithmName") or algorithm.get("AlgorithmName") or ""),
        "version": str(algorithm.get("AlgorithmVersion") or ""),
    }
    (family, *_) = algorithm.get("AlgorithmFamilyCodeSequence") or [{}]
    code = [str(family.get(part) or "") for part in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")]
    facts["family"] = code if all(code) else []
    return {key: value for key, value in facts.items() if value}


def _macro(own: Any, shared: Any, name: str) -> Any:
    """Return what a frame says of itself, or what all frames share."""
    return (own if name in own else shared)[name][0]


def _paste(file: SegFile, affine: Affine, shape: tuple[int, ...], where: str) -> Labels:
    """Put frames into ``(Z, Y, X)`` whose ``(x, y, z)`` index lies at ``affine`` in LPS+."""
    inverse = np.linalg.inv(affine)
    result = np.zeros(shape, np.uint8)
    for frame in file.frames():
        first = inverse[:3, :3] @ frame.position + inverse[:3, 3]
        steps = frame.steps @ inverse[:3, :3].T
        reach = np.abs(steps - np.rint(steps)) * np.asarray(frame.pixels.shape[::-1])[:, None]
        if max(np.abs(first - np.rint(first)).max(), reach.max()) > _OFF_BY_VOXELS:
            raise GeometryError(f"The frames of {file.path} do not lie on the voxels of {where}; give its own series.")
        rows, columns = np.nonzero(frame.pixels)
        index = np.rint(first).astype(int) + np.outer(columns, np.rint(steps[0])) + np.outer(rows, np.rint(steps[1]))
        x, y, z = index.astype(int).T
        if len(rows) and (index.min() < 0 or (index.max(axis=0) >= shape[::-1]).any()):
            raise GeometryError(f"{file.path} has segments outside {where}; give its own series.")
        values = frame.pixels[rows, columns] if frame.segment == 0 else np.uint8(frame.segment)
        before = result[z, y, x]
        clash = np.flatnonzero((before != 0) & (before != values))
        if len(clash):
            one, other = int(before[clash[0]]), int(np.broadcast_to(values, before.shape)[clash[0]])
            raise LabelsError(
                f"Segments {file.names[one - 1]} and {file.names[other - 1]} of {file.path} overlap; a label volume "
                "cannot hold both."
            )
        result[z, y, x] = values
    return result


def _stack(path: Path, frames: list[SegFrame]) -> VolumeGrid:
    """Return the grid that a stack of frames covers."""
    if not frames:
        raise GeometryError(f"{path} has no frames, so it does not say which volume it covers; give its series.")
    first = frames[0]
    normal = np.cross(*first.steps)
    normal /= np.linalg.norm(normal)
    along = np.array([frame.position @ normal for frame in frames])
    order = np.argsort(along)
    planes = along[order][np.append(True, np.diff(along[order]) > _SAME_PLANE_MM)]
    gap = float(np.diff(planes).min()) if len(planes) > 1 else 1.0
    origin = frames[int(order[0])].position
    aside = max(np.abs((f.position - origin) - ((f.position - origin) @ normal) * normal).max() for f in frames)
    numbers = (planes - planes[0]) / gap
    turned = any(np.abs(frame.steps - first.steps).max() > _SAME_PLANE_MM for frame in frames)
    if turned or aside > _OFF_BY_VOXELS * gap or np.abs(numbers - np.rint(numbers)).max() > _OFF_BY_VOXELS:
        raise GeometryError(f"The frames of {path} are no even stack of planes; give its series with --like.")
    lps = np.eye(4)
    lps[:3, 0], lps[:3, 1], lps[:3, 2], lps[:3, 3] = first.steps[0], first.steps[1], normal * gap, origin
    rows, columns = first.pixels.shape
    return VolumeGrid.of_file(RAS_TO_LPS @ lps, (columns, rows, int(np.rint(numbers[-1])) + 1))
