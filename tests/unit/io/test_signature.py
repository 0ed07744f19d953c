"""What the first bytes of a file say."""

import gzip
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_medpatch.errors import DamagedFileError, UnsupportedFormatError
from napari_medpatch.io.signature import READABLE, is_gzipped, read_head, refuse, signature


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x89PNG\r\n\x1a\n....", "png"),
        (b"\xff\xd8\xff\xe0....", "jpeg"),
        (b"BM" + struct.pack("<IIII", 70, 0, 54, 40), "bmp"),
        (b"II*\0\x08\0\0\0", "tiff"),
        (b"MM\0+\0\x08\0\0", "tiff"),
        (b"\0" * 128 + b"DICM", "dicom"),
        (b"II*\0" + b"\0" * 124 + b"DICM", "dicom"),
        (b"\x08\0\x05\0CS\x0a\0ISO_IR 100", "dicom"),
        (b"\x08\0\x05\0\x0a\0\0\0ISO_IR 100", "dicom"),
        (b"\x08\0\x05\x7f\x0a\0\0\0\x80\xff\xfe\xff\0\0\0\0", ""),
        (b"NRRD0004\ntype: short", "nrrd"),
        (b"ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\n", "metaimage"),
        (b"NDims = 3\nDimSize = 2 2 2\nElementType = MET_SHORT\n", "metaimage"),
        (b"NDims = 3\nDimSize = 2 2 2\nElementDataFile = LOCAL\n\x00\xff\xfe\x80", "metaimage"),
        (struct.pack(">7i", 1, 64, 64, 64, 1, 3, 0), "mgh"),
        (b"SQLite format 3\0", "sqlite"),
        (b"ZISRAWFILE\0", "czi"),
        (b"[Virtual Microscope Specimen]\nNoLayers=1\n", "slide index"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"%PDF-1.7", "PDF"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "WebP"),
        (b'{"type": "FeatureCollection"}', "JSON text"),
        (b"<?xml version='1.0'?>", "XML text"),
        ("name,µm\na,1\n".encode(), "text"),
        (b"BMX is a sport", "text"),
        (b"\x9c\x01\x02\x03\x80\xfe\xff", ""),
        (b"\0" * 600, ""),
    ],
)
def test_signatures(head: bytes, name: str) -> None:
    assert signature(head) == name


@pytest.mark.parametrize("kind", [nib.Nifti1Header, nib.Nifti2Header])
@pytest.mark.parametrize("order", ["<", ">"])
def test_nifti_headers_of_both_versions_and_byte_orders(kind: type, order: str) -> None:
    header = kind().as_byteswapped(order)
    assert signature(bytes(header.binaryblock) + bytes(4)) == "nifti"


def test_text_that_is_cut_inside_a_character_is_text() -> None:
    assert signature(("µ" * 600).encode()[:1023]) == "text"


@given(st.binary(min_size=1, max_size=1024))
def test_any_bytes_have_a_name_or_none(head: bytes) -> None:
    assert isinstance(signature(head), str)


def test_gzipped_files_are_looked_into(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(gzip.compress(b"NRRD0004\n"))
    assert is_gzipped(path)
    assert signature(read_head(path)) == "nrrd"


@pytest.mark.parametrize(
    ("data", "word"),
    [(b"", "it is empty"), (b"\x1f\x8b\x08", "gzip data"), (gzip.compress(b"", mtime=0), "holds nothing")],
)
def test_empty_and_cut_files_are_damaged(tmp_path: Path, data: bytes, word: str) -> None:
    path = tmp_path / "x.svs"
    path.write_bytes(data)
    with pytest.raises(DamagedFileError, match=word):
        read_head(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormatError, match=r"none\.svs does not exist"):
        read_head(tmp_path / "none.svs")


@pytest.mark.parametrize("name", ["mgh", "sqlite", "czi", "Philips iSyntax", "PDF", "text", ""])
def test_refusals_are_one_sentence_with_the_file(name: str) -> None:
    sentence = str(refuse(Path("scan.x"), name))
    assert sentence.startswith("scan.x is ")
    assert sentence.endswith(".")
    assert ". " not in sentence


def test_volumes_of_other_formats_are_told_to_convert() -> None:
    assert "NIfTI" in str(refuse(Path("a"), "mgh"))
    assert "mgh" not in READABLE
    assert {"nifti", "nrrd", "metaimage", "dicom"} <= READABLE


def test_arrays_in_files_are_named(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros(3))
    assert signature(read_head(tmp_path / "a.npy")) == "NumPy"
