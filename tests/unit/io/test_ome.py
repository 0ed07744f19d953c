import errno
import re

import numpy as np
import pytest
import tifffile

from napari_medpatch.errors import OutputError
from napari_medpatch.io.export_note import ExportNote
from napari_medpatch.io.ome import read_ome_geometry, write_ome_tiff
from napari_medpatch.io.ome_geometry import parse_ome_xml

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
@pytest.mark.parametrize(
    ("shape", "axes"), [((7, 9), "YX"), ((2, 7, 9), "CYX"), ((4, 7, 9), "ZYX"), ((2, 4, 7, 9), "CZYX")]
)
def test_values_and_geometry_come_back(tmp_path, dtype, shape, axes):
    array = (RNG.random(shape) * 200).astype(dtype)
    size = (2.5, 0.75, 0.5) if "Z" in axes else (0.75, 0.5)
    origin = (-40.0, 12.25, 7.0)[-len(size) :]
    names = ("lung", "heart") if "C" in axes else ()
    path = write_ome_tiff(
        array, tmp_path / "a.ome.tiff", pixel_size=size, unit="mm", origin=origin, channel_names=names, axes=axes
    )
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_ome
        assert tiff.series[0].axes == axes
        assert np.array_equal(tiff.asarray(), array)
        assert tiff.asarray().dtype == dtype
    geometry = read_ome_geometry(path)
    assert (geometry.axes, geometry.shape, geometry.unit) == (axes, shape, "mm")
    assert geometry.pixel_size == pytest.approx(size)
    assert geometry.origin == pytest.approx(origin)
    assert geometry.channel_names == names
    assert geometry.note is None


def test_position_of_each_slice_is_written(tmp_path):
    path = write_ome_tiff(
        np.zeros((2, 3, 4, 5), np.uint8), tmp_path / "a.ome.tif", pixel_size=(2, 1, 1), unit="mm", origin=(10, 0, 0)
    )
    with tifffile.TiffFile(path) as tiff:
        planes = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"]["Plane"]
    assert [(p["TheC"], p["TheZ"], p["PositionZ"]) for p in planes] == [
        (c, z, 10 + 2 * z) for c in (0, 1) for z in (0, 1, 2)
    ]


def test_axes_follow_from_names_and_sizes(tmp_path):
    array = np.zeros((3, 4, 5), np.uint8)
    for options, axes in [
        ({}, "CYX"),
        ({"pixel_size": (1, 1, 1)}, "ZYX"),
        ({"pixel_size": (1, 1), "channel_names": "abc"}, "CYX"),
    ]:
        assert read_ome_geometry(write_ome_tiff(array, tmp_path / "a.tif", **options)).axes == axes


def test_nan_floats_and_micrometres(tmp_path):
    array = RNG.random((2, 5, 6)).astype(np.float32)
    array[0, 0] = np.nan
    path = write_ome_tiff(
        array, tmp_path / "a.tiff", pixel_size=(87.5, 87.5), origin=(43.5, 43.5), channel_names=("a", "b")
    )
    assert np.array_equal(tifffile.imread(path), array, equal_nan=True)
    with tifffile.TiffFile(path) as tiff:
        assert 'PhysicalSizeXUnit="µm"' in tiff.ome_metadata
        assert tiff.pages[0].tags["XResolution"].value[0] / tiff.pages[0].tags["XResolution"].value[1] == pytest.approx(
            1e4 / 87.5
        )
    assert read_ome_geometry(path).unit == "um"


def test_large_images_are_tiled_pyramids_without_new_values(tmp_path):
    mask = np.zeros((2500, 3001), np.uint8)
    mask[500:1500, 700:2400] = 7
    path = write_ome_tiff(mask, tmp_path / "a.ome.tif")
    with tifffile.TiffFile(path) as tiff:
        levels = tiff.series[0].levels
        assert [level.shape for level in levels] == [(2500, 3001), (1250, 1501), (625, 751), (313, 376)]
        assert levels[0].keyframe.is_tiled
        assert np.array_equal(levels[0].asarray(), mask)
        assert np.unique(levels[-1].asarray()).tolist() == [0, 7]
        assert np.array_equal(levels[2].asarray(), mask[::4, ::4])


def test_large_pictures_are_averaged(tmp_path):
    picture = RNG.integers(0, 255, (2049, 64, 3)).astype(np.uint8)
    path = write_ome_tiff(picture, tmp_path / "a.ome.tif", axes="YXS")
    with tifffile.TiffFile(path) as tiff:
        assert tiff.series[0].axes == "YXS"
        half = tiff.series[0].levels[1].asarray()
    assert half.shape == (1025, 32, 3)
    assert half[0, 0].tolist() == np.rint(picture[:2, :2].mean(axis=(0, 1))).astype(int).tolist()


def test_booleans_and_half_floats_are_widened(tmp_path):
    assert tifffile.imread(write_ome_tiff(np.eye(4, dtype=bool), tmp_path / "a.tif")).dtype == np.uint8
    assert tifffile.imread(write_ome_tiff(np.eye(4, dtype=np.float16), tmp_path / "b.tif")).dtype == np.float32


def test_note_with_every_character_comes_back(tmp_path):
    note = ExportNote("mask", ("<a> & 'b'", "ü"), {"model": '"quoted"'})
    assert read_ome_geometry(write_ome_tiff(np.eye(4), tmp_path / "a.tif", note=note)).note == note


@pytest.mark.parametrize("array", [np.zeros((4, 5), np.int64), np.zeros((4, 5), complex), np.zeros((0, 5), np.uint8)])
def test_what_ome_cannot_hold_is_refused(tmp_path, array):
    with pytest.raises(OutputError, match="OME-TIFF cannot hold"):
        write_ome_tiff(array, tmp_path / "a.tif")
    with pytest.raises(OutputError, match="two to four axes"):
        write_ome_tiff(np.zeros(4, np.uint8), tmp_path / "a.tif")
    assert list(tmp_path.iterdir()) == []


def test_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = write_ome_tiff(np.eye(4, dtype=np.uint8), tmp_path / "a.tif")

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tifffile.TiffWriter, "write", full)
    with pytest.raises(OutputError, match="disk is full"):
        write_ome_tiff(np.zeros((4, 4), np.uint8), path)
    monkeypatch.undo()
    assert np.array_equal(tifffile.imread(path), np.eye(4))
    assert [p.name for p in tmp_path.iterdir()] == ["a.tif"]


def test_files_without_ome_have_no_geometry(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4), np.uint8))
    assert read_ome_geometry(tmp_path / "a.tif") is None
    (tmp_path / "b.tif").write_bytes(b"no tiff")
    assert read_ome_geometry(tmp_path / "b.tif") is None
    assert read_ome_geometry(tmp_path / "c.tif") is None


@pytest.mark.parametrize(
    ("attributes", "wanted", "unit"),
    [
        ('PhysicalSizeX="250" PhysicalSizeXUnit="nm" PhysicalSizeY="0.5"', (0.5, 0.25), "um"),
        ('PhysicalSizeX="2" PhysicalSizeXUnit="mm" PhysicalSizeY="1" PhysicalSizeYUnit="mm"', (1.0, 2.0), "mm"),
        ('PhysicalSizeX="2" PhysicalSizeXUnit="cm" PhysicalSizeY="1" PhysicalSizeYUnit="mm"', (1.0, 20.0), "mm"),
        ('PhysicalSizeX="2" PhysicalSizeXUnit="pixel" PhysicalSizeY="1"', None, "um"),
        ('PhysicalSizeX="0" PhysicalSizeY="1"', None, "um"),
        ('PhysicalSizeX="x" PhysicalSizeY="1"', None, "um"),
        ('PhysicalSizeX="1"', None, "um"),
    ],
)
def test_units_of_other_writers(attributes, wanted, unit):
    text = f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image><Pixels {attributes}/></Image></OME>'
    geometry = parse_ome_xml(text, "YX", (4, 5))
    assert geometry.pixel_size == (wanted if wanted is None else pytest.approx(wanted))
    assert geometry.unit == unit
    assert geometry.origin is None


def test_broken_xml_is_no_geometry():
    assert parse_ome_xml("<OME", "YX", (4, 5)) is None
    assert parse_ome_xml("<OME/>", "YX", (4, 5)) is None


def test_real_ome_tiff(real_data):
    geometry = read_ome_geometry(real_data / "wsi" / "instanseg_HE_example.ome.tif")
    assert geometry.axes == "YXS"
    assert geometry.shape == (1484, 1380, 3)


def test_the_same_content_gives_the_same_bytes(tmp_path) -> None:
    values = np.arange(72, dtype=np.float32).reshape(8, 9)
    first, again, other = (tmp_path / f"{n}.ome.tiff" for n in "abc")
    write_ome_tiff(values, first, pixel_size=(1, 1), origin=(0, 0))
    write_ome_tiff(values, again, pixel_size=(1, 1), origin=(0, 0))
    write_ome_tiff(values + 1, other, pixel_size=(1, 1), origin=(0, 0))
    assert first.read_bytes() == again.read_bytes()
    uuids = set()
    for path in (first, other):
        with tifffile.TiffFile(path) as tiff:
            uuids.add(re.search(r'UUID="urn:uuid:([^"]+)"', tiff.ome_metadata)[1])
    assert len(uuids) == 2, "another content needs another identity"
