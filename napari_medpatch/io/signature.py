"""Tell what a file is from its first bytes; its name is not asked."""

import gzip
import struct
import zlib
from pathlib import Path

from napari_medpatch.errors import DamagedFileError, UnsupportedFormatError
from napari_medpatch.io.reading import damaged, reading

HEAD_BYTES = 1024

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"NRRD000", "nrrd"),
    (b"ZISRAWFILE", "czi"),
    (b"SQLite format 3\0", "sqlite"),
    (b"\x1f\x8b", "gzip"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "ZIP or Office"),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf", "7-Zip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"GIF8", "GIF"),
    (b"\0\0\0\x0cjP  \r\n", "JPEG 2000"),
    (b"\xffO\xffQ", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"8BPS", "Photoshop"),
    (b"\x93NUMPY", "NumPy"),
    (b"iSyntax", "Philips iSyntax"),
    (b"\xd0\xcf\x11\xe0", "old Office or Olympus OIB"),
    (b"\x7fELF", "program"),
    (b"MZ", "Windows program"),
)
READABLE = {"png", "jpeg", "bmp", "tiff", "dicom", "nifti", "nrrd", "metaimage", "czi", "sqlite", "slide index"}
"""Signatures that this package can open, perhaps after a closer look."""


def read_head(path: Path) -> bytes:
    """Return the first bytes of a file, unpacked if it is gzipped.

    Raises
    ------
    UnsupportedFormatError
        If the file does not exist or must not be read.
    DamagedFileError
        If it is empty, or a gzip file that is cut off at once.
    """
    with reading(path), path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        if not head:
            raise DamagedFileError(damaged(path, "it is empty"))
        if not head.startswith(b"\x1f\x8b"):
            return head
        try:
            with gzip.open(path, "rb") as unpacked:
                inner = unpacked.read(HEAD_BYTES)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DamagedFileError(damaged(path, f"its gzip data cannot be unpacked: {error}")) from error
    if not inner:
        raise DamagedFileError(damaged(path, "the gzip file holds nothing"))
    return inner


def is_gzipped(path: Path) -> bool:
    """Return whether a file is gzipped."""
    with reading(path), path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def signature(head: bytes) -> str:
    """Return a short name of what the first bytes (of the unpacked file) say; ``""`` if they say nothing.

    Parameters
    ----------
    head : bytes
        At least the first 540 bytes, or all of a shorter file.
    """
    if head[128:132] == b"DICM":  # before TIFF: DICOM slides may be valid TIFF files too
        return "dicom"
    if _is_nifti(head):
        return "nifti"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head.startswith(b"BM") and _is_bmp(head):
        return "bmp"
    if _is_mgh(head):
        return "mgh"
    if _is_bare_dicom(head):
        return "dicom"
    if _is_metaimage(head):
        return "metaimage"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    return _text_kind(head)


def _is_nifti(head: bytes) -> bool:
    """Return whether this is a NIfTI-1 or NIfTI-2 header, or an Analyze header of the same layout."""
    sizes = {head[:4][::step] for step in (1, -1)}
    if b"\0\0\1\\" in sizes:  # 348
        return True
    return b"\0\0\2\x1c" in sizes and head[4:8] in (b"n+2\0", b"ni2\0")  # 540


def _is_bare_dicom(head: bytes) -> bool:
    """Return whether this is a DICOM data set without preamble: its first element is of group 2 or 8."""
    if len(head) < 16 or head[:2] not in (b"\x02\0", b"\x08\0"):
        return False
    explicit = head[4:6].isalpha() and head[4:6].isupper()
    element, length = struct.unpack_from("<HI", head, 2)
    return explicit or (head[:2] == b"\x08\0" and element < 0x20 and 0 < length <= 64)


def _is_metaimage(head: bytes) -> bool:
    """Return whether this begins with lines such as ``NDims = 3``, which values may follow in the same file."""
    lines = head.partition(b"ElementDataFile")[0].splitlines()
    words = {line.partition(b"=")[0].strip() for line in lines if b"=" in line}
    return b"NDims" in words and bool(words & {b"DimSize", b"ElementType", b"BinaryData", b"ObjectType"})


def _is_bmp(head: bytes) -> bool:
    return len(head) >= 18 and struct.unpack_from("<I", head, 14)[0] in (12, 40, 52, 56, 64, 108, 124)


def _is_mgh(head: bytes) -> bool:
    """Return whether this is a FreeSurfer volume: version 1, four sizes, a known type."""
    if len(head) < 28 or head[:4] != b"\0\0\0\1":
        return False
    *sizes, kind = struct.unpack_from(">5i", head, 4)
    return kind in (0, 1, 3, 4, 10) and all(0 < n < 1 << 20 for n in sizes)


def _text_kind(head: bytes) -> str:
    """Return what a text file is; ``""`` if the bytes are no text."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return ""
        text = head[: error.start].decode("utf-8")
    if any(ord(c) < 9 for c in text):
        return ""
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith(("[Virtual Microscope Specimen]", "[Uncompressed Virtual Microscope Specimen]")):
        return "slide index"
    if start.startswith(("{", "[")):
        return "JSON text"
    if start.startswith("<"):
        return "XML text"
    return "text"


def refuse(path: Path, name: str) -> UnsupportedFormatError:
    """Return the error for a file whose signature is not readable."""
    known = {
        "mgh": f"{path} is a FreeSurfer MGH volume; convert it to NIfTI first, for example with mri_convert.",
        "Philips iSyntax": f"{path} is a Philips iSyntax slide; export it as TIFF or DICOM first.",
        "sqlite": f"{path} is an SQLite database, but not a Sakura slide; open an image file.",
        "czi": f"{path} is a Zeiss CZI file that OpenSlide does not read; export it as OME-TIFF from ZEN.",
    }
    if name in known:
        return UnsupportedFormatError(known[name])
    article = "an" if name[:1] in "AEIOUXaeiou" else "a"
    what = f"is {article} {name} file" if name else "is of no known kind"
    return UnsupportedFormatError(
        f"{path} {what}, not a slide, photograph or volume; open TIFF, SVS or another slide, PNG, JPEG, BMP, DICOM, "
        "NIfTI, NRRD or MetaImage."
    )
