"""What the text header of an NRRD or MetaImage file says, beyond what SimpleITK hands on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_medpatch.errors import DamagedFileError, UnsupportedFormatError
from napari_medpatch.io.reading import damaged, reading

_HEADER_BYTES = 1 << 20
_COLOURS = ("RGB", "HSV", "XYZ-color", "2-color", "3-color", "4-color")
_UNIT_MM = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 1e-3, "µm": 1e-3, "microns": 1e-3, "micron": 1e-3, "nm": 1e-6}
_SPACES = {
    *("left-posterior-superior", "lps", "left-posterior-superior-time", "lpst"),
    *("right-anterior-superior", "ras", "right-anterior-superior-time", "rast"),
    *("left-anterior-superior", "las", "left-anterior-superior-time", "last"),
}
_NOT_DECODED = ("bzip2", "bz2")
_PLACED = {"TransformMatrix", "Orientation", "Rotation", "Offset", "Position", "Origin"}
_BYTES = {"CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "FLOAT": 4, "DOUBLE": 8}


@dataclass(frozen=True, slots=True)
class ItkHeader:
    """A checked header.

    Parameters
    ----------
    path : Path
        File with the header.
    format : str
        ``"NRRD"`` or ``"MetaImage"``.
    has_spacing : bool
        Whether the file says how large its voxels are.
    has_position : bool
        Whether it says how they lie in the patient.
    unit_mm : float
        Millimetres per unit of length.
    """

    path: Path
    format: str
    has_spacing: bool
    has_position: bool
    unit_mm: float


def read_itk_header(path: Path) -> ItkHeader:
    """Read and check the header of an NRRD or MetaImage file.

    Raises
    ------
    UnsupportedFormatError
        If it holds colours, is compressed in a way that nobody here reads, or its values lie in another file that is
        not there.
    DamagedFileError
        If it ends early.
    """
    with reading(path), path.open("rb") as stream:
        head = stream.read(_HEADER_BYTES)
    return _nrrd(path, head) if head.startswith(b"NRRD000") else _metaimage(path, head)


def header_beside(path: Path) -> Path | None:
    """Return the header file that lies beside a file of bare values, None if there is none."""
    name = path.name
    for ending in (".raw.gz", ".raw.bz2", ".raw", ".zraw", ".img.gz"):
        if name.lower().endswith(ending):
            stem = name[: -len(ending)]
            headers = [path.with_name(stem + suffix) for suffix in (".mhd", ".nhdr")]
            return next((header for header in headers if header.is_file()), None)
    return None


def _nrrd(path: Path, head: bytes) -> ItkHeader:
    block = re.split(rb"\r?\n\r?\n", head, maxsplit=1)[0].decode("utf-8", "replace")
    lines = [line for line in block.splitlines()[1:] if not line.startswith("#")]
    fields = {k.strip().lower(): v.strip() for k, _, v in (s.partition(":") for s in lines if ":=" not in s)}
    if any(kind.startswith(_COLOURS) for kind in fields.get("kinds", "").split()):
        raise UnsupportedFormatError(f"{path} holds colours, not the values of a volume; give the CT itself.")
    encoding = fields.get("encoding", "").lower()
    if encoding in _NOT_DECODED:
        raise UnsupportedFormatError(f"{path} is compressed with bzip2, which is not read; save it with gzip.")
    data = fields.get("data file") or fields.get("datafile", "")
    _check_beside(path, data)
    units = [unit for unit in re.findall(r'"([^"]*)"', fields.get("space units", "")) if unit]
    has_directions = "space directions" in fields
    return ItkHeader(
        path,
        "NRRD",
        has_spacing=has_directions or "spacings" in fields,
        has_position=has_directions and fields.get("space", "").lower() in _SPACES,
        unit_mm=_UNIT_MM.get(units[0].strip(), 1.0) if units else 1.0,
    )


def _metaimage(path: Path, head: bytes) -> ItkHeader:
    before, sign, rest = head.partition(b"ElementDataFile")
    if not sign:
        raise DamagedFileError(damaged(path, "it ends inside its header"))
    line, _, _ = rest.partition(b"\n")
    pairs = (text.partition("=") for text in before.decode("utf-8", "replace").splitlines())
    fields = {key.strip(): value.strip() for key, _, value in pairs}
    data = line.decode("utf-8", "replace").partition("=")[2].strip()
    _check_beside(path, "" if data.upper() == "LOCAL" else data)
    _check_length(path, fields, data, len(before) + len(sign) + len(line) + 1)
    return ItkHeader(
        path,
        "MetaImage",
        has_spacing=bool(fields.keys() & {"ElementSpacing", "ElementSize"}),
        has_position=bool(fields.keys() & _PLACED),
        unit_mm=1.0,
    )


def _check_beside(path: Path, data: str) -> None:
    """Refuse a header whose file of values is not there; lists and patterns are left to the reader."""
    if data and "%" not in data and not data.upper().startswith("LIST") and not (path.parent / data).is_file():
        raise UnsupportedFormatError(f"{path} is a header only; put its file of values {data} beside it.")


def _check_length(path: Path, fields: Mapping[str, str], data: str, header: int) -> None:
    """Refuse a MetaImage that is too short, which its reader would announce on the terminal."""
    try:
        shape = [int(n) for n in fields["DimSize"].split()]
        channels = int(fields.get("ElementNumberOfChannels", "1"))
        width = _BYTES[fields["ElementType"].removeprefix("MET_")]
        wanted = int(np.prod(shape, dtype=np.int64)) * channels * width
        if fields.get("CompressedData", "False").lower() == "true":
            wanted = int(fields["CompressedDataSize"])
    except (KeyError, ValueError):
        return
    local = data.upper() == "LOCAL"
    file = path if local else path.parent / data
    if file.is_file() and fields.get("BinaryData", "True").lower() == "true":
        there = file.stat().st_size - (header if local else 0)
        if there < wanted:
            raise DamagedFileError(damaged(file, f"it holds {there} of {wanted} bytes of values"))
