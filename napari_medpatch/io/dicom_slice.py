"""What places a DICOM image in space and turns its pixels into values, read without the pixels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class DicomFile:
    """What all frames of a DICOM image file share.

    Parameters
    ----------
    path : Path
        The file.
    series, instance, frame_of_reference : str
        UIDs; ``""`` where the file does not say.
    number : int or None
        Of the series, as the scanner counts them.
    description, modality : str
        Of the series.
    transfer_syntax : str
        UID; ``""`` in files without a header of their own.
    inverted : bool
        Whether low values are meant to be bright (MONOCHROME1).
    localizer : bool
        Whether this is a scout image for planning.
    is_ct : bool
        Whether values are Hounsfield units.
    bits : int
        Significant bits of a stored value.
    signed : bool
        Whether stored values are.
    padding : tuple of int or None
        Lowest and highest stored value that stands for "outside the field of view".
    lossy : bool
        Whether the pixels were compressed with loss at some time.
    facts : mapping of str to str
        For people: kernel, manufacturer and the like.
    """

    path: Path
    series: str
    instance: str
    frame_of_reference: str
    number: int | None
    description: str
    modality: str
    transfer_syntax: str
    inverted: bool
    localizer: bool
    is_ct: bool
    bits: int
    signed: bool
    padding: tuple[int, int] | None
    lossy: bool
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DicomSlice:
    """One image of a series: a file, or a frame of one.

    Parameters
    ----------
    file : DicomFile
        Where it is.
    frame : int or None
        Of a multi-frame file, from 0.
    rows, columns : int
        Size.
    position : tuple of float or None
        Centre of the first pixel in mm, LPS+; None if the file does not say.
    along_row, along_column : tuple of float
        Unit vectors, LPS+: the direction of growing column and of growing row index.
    spacing : tuple of float or None
        Distance of rows and of columns in mm.
    thickness, distance : float or None
        Slice thickness and distance of slices, as stated.
    slope, intercept : float or None
        Value = stored × slope + intercept; None if the file does not say.
    has_table : bool
        Whether a modality table turns stored values into values instead.
    location : float or None
        Slice location in mm, for files without a position.
    order : int
        Instance number, or frame number.
    marks : mapping of str to str
        What may tell apart images of the same place: phase, echo, b-value…
    """

    file: DicomFile
    frame: int | None
    rows: int
    columns: int
    position: Vector | None
    along_row: Vector
    along_column: Vector
    spacing: tuple[float, float] | None
    thickness: float | None
    distance: float | None
    slope: float | None
    intercept: float | None
    has_table: bool
    location: float | None
    order: int
    marks: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The file."""
        return self.file.path
