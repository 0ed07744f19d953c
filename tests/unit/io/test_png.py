import numpy as np
import pytest
from PIL import Image

from napari_medpatch.errors import OutputError
from napari_medpatch.io.export_note import ExportNote
from napari_medpatch.io.png import read_png_note, write_png


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_values_and_note_come_back(tmp_path, shape):
    values = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    note = ExportNote("mask", ("vessel",), {"model": "ü"})
    path = write_png(values, tmp_path / "a.png", note=note)
    with Image.open(path) as image:
        assert image.mode == ("L" if len(shape) == 2 else "RGB")
        assert np.array_equal(np.asarray(image), values)
    assert read_png_note(path) == note


def test_files_without_note(tmp_path):
    assert read_png_note(write_png(np.zeros((3, 3), np.uint8), tmp_path / "a.png")) is None
    (tmp_path / "b.png").write_bytes(b"no png")
    assert read_png_note(tmp_path / "b.png") is None


@pytest.mark.parametrize("values", [np.zeros((3, 3), np.int16), np.zeros((2, 3, 3, 3), np.uint8)])
def test_only_bytes_fit(tmp_path, values):
    with pytest.raises(OutputError, match="PNG holds 8-bit images"):
        write_png(values, tmp_path / "a.png")


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="in the way"):
        write_png(np.zeros((3, 3), np.uint8), tmp_path / "file" / "a.png")
