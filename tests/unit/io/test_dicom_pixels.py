"""Values of DICOM slices: signs, bits, slopes, tables, padding, compression; pydicom and SimpleITK are the oracles."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK
from dicom_cases import SHAPE, shown, stored_values, write_series, write_slice
from pydicom.dataset import Dataset
from pydicom.uid import MPEG4HP41, JPEG2000Lossless, RLELossless

from napari_medpatch.errors import DamagedFileError, UnsupportedFormatError
from napari_medpatch.io.detect import open_source


def opened(path: Path) -> Any:
    return open_source(path)


def itk(folder: Path) -> np.ndarray:
    """What SimpleITK reads of an axial series, ``(Z, Y, X)``."""
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return SimpleITK.GetArrayFromImage(reader.Execute())


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.uint8])
def test_signed_and_unsigned_values(tmp_path: Path, dtype: type) -> None:
    values = (stored_values() % 200).astype(dtype)
    source = opened(write_series(tmp_path, values))
    assert source.dtype == np.int16
    assert np.array_equal(source.data, shown(values))
    assert np.array_equal(source.data, itk(tmp_path))


@pytest.mark.parametrize("signed", [True, False])
def test_bits_beyond_those_stored_do_not_count(tmp_path: Path, signed: bool) -> None:
    dtype = np.int16 if signed else np.uint16
    values = (np.arange(np.prod(SHAPE)).reshape(SHAPE) * 50 - 2500 * signed).astype(dtype)
    write_series(tmp_path, values, BitsStored=12, HighBit=11)
    assert np.array_equal(opened(tmp_path).data, itk(tmp_path))


def test_slope_and_intercept_are_applied_per_slice(tmp_path: Path) -> None:
    values = stored_values()
    own = lambda n: {"RescaleSlope": 1 + n, "RescaleIntercept": -1000 + n}  # noqa: E731
    source = opened(write_series(tmp_path, values, each=own))
    wanted = [values[n].astype(int) * (1 + n) - 1000 + n for n in range(len(values))]
    assert np.array_equal(source.data, wanted)
    assert "slopes and intercepts of their own" in " ".join(source.metadata["notes"])


def test_fractions_of_hu_are_rounded_and_noted(tmp_path: Path) -> None:
    source = opened(write_series(tmp_path, RescaleSlope="0.5", RescaleIntercept="-1000.25"))
    assert source.dtype == np.int16
    assert np.array_equal(source.data, np.rint(stored_values() * 0.5 - 1000.25))
    assert "Values were rounded to whole HU." in source.metadata["notes"]


def test_ct_beyond_16_bits_becomes_float(tmp_path: Path) -> None:
    values = stored_values().astype(np.uint16)
    values[2, 1, 1] = 60000
    source = opened(write_series(tmp_path, values))
    assert source.dtype == np.float32
    assert np.array_equal(source.data, values.astype(int) - 1024)


def test_pet_keeps_fractions(tmp_path: Path) -> None:
    own = lambda n: {"RescaleSlope": f"{0.37 + n / 100:.3f}", "RescaleIntercept": 0}  # noqa: E731
    source = opened(write_series(tmp_path, each=own, Modality="PT", SOPClassUID="1.2.840.10008.5.1.4.1.1.128"))
    assert source.dtype == np.float32
    assert source.metadata["value_unit"] == "arbitrary units"
    np.testing.assert_allclose(source.data, itk(tmp_path), rtol=1e-5)


def test_mr_without_slope_is_int16_in_arbitrary_units(tmp_path: Path) -> None:
    own = {"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "RescaleSlope": None, "RescaleIntercept": None}
    source = opened(write_series(tmp_path, **own))
    assert (source.dtype, source.metadata["value_unit"]) == (np.int16, "arbitrary units")
    assert np.array_equal(source.data, stored_values())


@pytest.mark.parametrize(("low", "unit"), [(0, "arbitrary units"), (-1000, "HU")])
def test_ct_without_slope_is_hu_only_if_it_looks_so(tmp_path: Path, low: int, unit: str) -> None:
    values = (stored_values() + low).astype(np.int16)
    source = opened(write_series(tmp_path, values, RescaleSlope=None, RescaleIntercept=None))
    assert source.metadata["value_unit"] == unit
    assert np.array_equal(source.data, values)
    assert "no rescale slope and intercept" in " ".join(source.metadata["notes"])


def test_a_modality_table_is_applied(tmp_path: Path) -> None:
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [400, 0, 16], "HU"
    table.LUTData = (np.arange(400) * 2).astype(np.uint16).tobytes()
    values = stored_values().astype(np.uint16)
    write_series(tmp_path, values, ModalityLUTSequence=[table], RescaleSlope=None, RescaleIntercept=None)
    source = opened(tmp_path)
    assert source.dtype == np.int16
    assert np.array_equal(source.data, values * 2)


def test_dark_padding_stays_and_bright_padding_is_darkened(tmp_path: Path) -> None:
    values = stored_values()
    values[:, 0, 0] = -2000
    dark = opened(write_series(tmp_path / "dark", values, PixelPaddingValue=63536 - 65536))
    assert np.array_equal(dark.data, shown(values))
    values[:, 0, 0] = 30000
    bright = opened(write_series(tmp_path / "bright", values, PixelPaddingValue=30000))
    assert (bright.data[:, 0, 0] == [shown(v).ravel()[1:].min() for v in values]).all()
    assert "made as dark" in " ".join(bright.metadata["notes"])


def test_inverted_images_keep_their_values_and_say_so(tmp_path: Path) -> None:
    own = {"Modality": "MR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "RescaleIntercept": 0}
    source = opened(write_series(tmp_path, PhotometricInterpretation="MONOCHROME1", **own))
    assert np.array_equal(source.data, stored_values())
    assert source.metadata["inverted"]
    assert "MONOCHROME1" in " ".join(source.metadata["notes"])


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed_slices_are_decoded(tmp_path: Path, syntax: str) -> None:
    values = np.tile(stored_values(), (1, 8, 8))
    for path in write_series(tmp_path, values).iterdir():
        dataset = pydicom.dcmread(path)
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(path)
    assert np.array_equal(opened(tmp_path).data, shown(values))


@pytest.mark.parametrize("compression", ["JPEG", "JPEGLS"])
def test_slices_compressed_by_gdcm_are_decoded(tmp_path: Path, compression: str) -> None:
    """Lossless JPEG and JPEG-LS, which most scanners and archives write."""
    import gdcm

    syntax = {"JPEG": gdcm.TransferSyntax.JPEGLosslessProcess14_1, "JPEGLS": gdcm.TransferSyntax.JPEGLSLossless}
    values = np.tile(stored_values(), (1, 8, 8))
    for path in write_series(tmp_path, values).iterdir():
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
        reader.SetFileName(str(path))
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(syntax[compression]))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFileName(str(path))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        assert pydicom.dcmread(path).file_meta.TransferSyntaxUID.is_compressed
    assert np.array_equal(opened(tmp_path).data, shown(values))


def test_a_compression_that_nothing_decodes_is_named(tmp_path: Path) -> None:
    path = write_slice(tmp_path / "a.dcm", stored_values()[0])
    dataset = pydicom.dcmread(path)
    dataset.compress(RLELossless)
    dataset.file_meta.TransferSyntaxUID = MPEG4HP41
    dataset.save_as(path)
    with pytest.raises(UnsupportedFormatError, match=r"a\.dcm is compressed as MPEG-4 .*, which no decoder"):
        opened(path)


def test_garbage_in_compressed_pixels_is_damage(tmp_path: Path) -> None:
    path = write_slice(tmp_path / "a.dcm", np.tile(stored_values()[0], (8, 8)))
    dataset = pydicom.dcmread(path)
    dataset.compress(JPEG2000Lossless)
    dataset.save_as(path)
    data = bytearray(path.read_bytes())
    start = data.index(b"\xff\x4f\xff\x51")  # where JPEG 2000 begins
    data[start : start + 60] = bytes(60)
    path.write_bytes(data)
    with pytest.raises(DamagedFileError, match=r"a\.dcm is damaged \(its pixels cannot be read"):
        opened(path)
