"""DICOM series that tests write with pydicom, and ways to look at them that do not use our code."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SHAPE = (6, 5, 4)
"""Slices, rows, columns."""
SPACING = (0.75, 0.5)
"""Of rows and of columns, mm."""
STEP = 2.5
ORIGIN = (-10.5, 20.25, -300.0)


def stored_values(shape: Sequence[int] = SHAPE) -> np.ndarray:
    """Stored values that tell voxels apart; with the intercept −1024 they include air."""
    return (np.arange(np.prod(shape)).reshape(shape) * 3).astype(np.int16)


def normal_of(orientation: Sequence[float]) -> np.ndarray:
    return np.cross(orientation[:3], orientation[3:])


def write_slice(path: Path, values: np.ndarray, **changes: Any) -> Path:
    """Write one CT slice; ``changes`` set attributes, None removes one."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    defaults: dict[str, Any] = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": generate_uid(),
        "SeriesInstanceUID": "1.2.3",
        "FrameOfReferenceUID": "1.2.9",
        "Modality": "CT",
        "SeriesNumber": 3,
        "SeriesDescription": "CHEST 2.5mm",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "InstanceNumber": 1,
        "ImagePositionPatient": list(ORIGIN),
        "ImageOrientationPatient": list(AXIAL),
        "PixelSpacing": list(SPACING),
        "SliceThickness": STEP,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": values.shape[-2],
        "Columns": values.shape[-1],
        "BitsAllocated": values.dtype.itemsize * 8,
        "BitsStored": values.dtype.itemsize * 8,
        "HighBit": values.dtype.itemsize * 8 - 1,
        "PixelRepresentation": int(values.dtype.kind == "i"),
    }
    for name, value in (defaults | changes).items():
        if value is not None:
            setattr(dataset, name, value)
    dataset.add_new("PixelData", "OW", np.ascontiguousarray(values).tobytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(path, dataset, enforce_file_format=True)
    return path


def write_series(
    folder: Path,
    values: np.ndarray | None = None,
    *,
    places: Sequence[float] | None = None,
    orientation: Sequence[float] = AXIAL,
    drift: Sequence[float] = (0.0, 0.0, 0.0),
    each: Callable[[int], dict[str, Any]] = lambda n: {},
    **changes: Any,
) -> Path:
    """Write a series whose file names and instance numbers run against the positions.

    Parameters
    ----------
    places : sequence of float
        Of the slices along the normal, in mm; ``STEP`` apart by default.
    drift : sequence of float
        What positions move per slice besides, as under a tilted gantry.
    each : callable
        Gives further attributes of slice n.
    """
    values = stored_values() if values is None else values
    places = [n * STEP for n in range(len(values))] if places is None else places
    across = normal_of(orientation)
    for n, place in enumerate(places):
        position = np.asarray(ORIGIN) + place * across + n * np.asarray(drift)
        own = {"ImagePositionPatient": position.tolist(), "InstanceNumber": len(places) - n}
        name = f"{(n * 7) % 101:03}.dcm"
        write_slice(
            folder / name, values[n], **{"ImageOrientationPatient": list(orientation)} | changes | own | each(n)
        )
    return folder


def write_enhanced(path: Path, values: np.ndarray, places: Sequence[float], phases: Sequence[int] = ()) -> Path:
    """Write one enhanced multi-frame CT with a frame per place, in the order given."""
    frames = []
    for n, place in enumerate(places):
        frame, position, content = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [ORIGIN[0], ORIGIN[1], ORIGIN[2] + place]
        content.TemporalPositionIndex = phases[n] if phases else 1
        frame.PlanePositionSequence, frame.FrameContentSequence = [position], [content]
        frames.append(frame)
    shared, turned, measures, rescale = Dataset(), Dataset(), Dataset(), Dataset()
    turned.ImageOrientationPatient = list(AXIAL)
    measures.PixelSpacing, measures.SliceThickness = list(SPACING), STEP
    rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = 1, -1024, "HU"
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [turned], [measures]
    shared.PixelValueTransformationSequence = [rescale]
    own = dict.fromkeys(("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"))
    own |= dict.fromkeys(("RescaleSlope", "RescaleIntercept"))
    return write_slice(
        path,
        values,
        **own,
        SOPClassUID=EnhancedCTImageStorage,
        NumberOfFrames=len(values),
        SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=frames,
    )


def lps(affine: np.ndarray) -> np.ndarray:
    """Return an affine to RAS+ as one to LPS+, which DICOM and ITK speak."""
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def shown(values: np.ndarray) -> np.ndarray:
    """What an axial series of these stored values looks like in our axes, in HU."""
    return values.astype(np.int16) - 1024
