import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_medpatch.errors import DamagedFileError, MedPatchError, UnsupportedFormatError
from napari_medpatch.io import photo_file
from napari_medpatch.io.ome import write_ome_tiff
from napari_medpatch.io.photo import PhotoSource
from napari_medpatch.io.source import Source


@pytest.fixture
def rgb() -> np.ndarray:
    """A small picture that is the same in no other orientation."""
    y, x = np.mgrid[:24, :36]
    return np.stack([y * 10, x * 7, (x + y) * 4], axis=2).astype(np.uint8)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.jpg"])
def test_formats_give_the_pixels(tmp_path, rgb, name):
    Image.fromarray(rgb).save(tmp_path / name, **({"quality": 100, "subsampling": 0} if name == "a.jpg" else {}))
    source = PhotoSource(tmp_path / name)
    assert isinstance(source, Source)
    assert (source.kind, source.axes, source.spacing) == ("photo", "YXC", None)
    assert source.format == {"png": "PNG", "bmp": "BMP", "tif": "TIFF", "jpg": "JPEG"}[name[2:]]
    assert np.abs(source.array.astype(int) - rgb).max() <= (6 if name == "a.jpg" else 0)


def test_the_name_does_not_matter(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "a.jpg", format="PNG")
    assert PhotoSource(tmp_path / "a.jpg").format == "PNG"


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "I;16"])
def test_colour_models(tmp_path, mode):
    grey = np.array([[0, 0, 255, 255]] * 2, np.uint8)
    image = Image.fromarray(grey)
    stored = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    stored.save(path)
    assert PhotoSource(path).array[0, :, 0].tolist() == [0, 0, 255, 255]


def test_transparent_palette_colour_is_black(tmp_path):
    image = Image.fromarray(np.array([[0, 1]], np.uint8), mode="P")
    image.putpalette([200, 200, 200, 40, 50, 60])
    image.save(tmp_path / "a.png", transparency=0)
    assert PhotoSource(tmp_path / "a.png").array.tolist() == [[[0, 0, 0], [40, 50, 60]]]


def test_palette_colours_are_looked_up(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), mode="P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.save(tmp_path / "a.png")
    assert PhotoSource(tmp_path / "a.png").array[:, 0].tolist() == [[10, 20, 30], [70, 80, 90]]


@pytest.mark.parametrize("code", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
def test_exif_orientation_is_applied(tmp_path, rgb, code, name):
    exif = Image.Exif()
    exif[274] = code
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = Image.fromarray(rgb)
    stored = image.transpose(undo[code]) if code in undo else image
    options = {"quality": 100, "subsampling": 0} if name == "a.jpg" else {}
    stored.save(tmp_path / name, exif=exif, **options)
    found = PhotoSource(tmp_path / name).array
    assert found.shape == rgb.shape
    assert np.abs(found.astype(int) - rgb).max() <= 6


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bit_colour_keeps_its_lower_byte(tmp_path, name):
    values = np.zeros((4, 5, 3), np.uint16)
    values[0, 0], values[0, 1] = (4095, 2048, 100), (16, 32, 48)
    if name == "a.png":
        (tmp_path / name).write_bytes(imagecodecs.png_encode(values))
    else:
        tifffile.imwrite(tmp_path / name, values, photometric="rgb")
    pixels = PhotoSource(tmp_path / name).array
    assert pixels[0, 0].tolist() == [255, 128, 6]
    assert pixels[0, 1].tolist() == [1, 2, 3]


def test_tiff_variants(tmp_path):
    grey = np.arange(20, dtype=np.uint8).reshape(4, 5) * 12
    tifffile.imwrite(tmp_path / "white.tif", 255 - grey, photometric="miniswhite")
    assert np.array_equal(PhotoSource(tmp_path / "white.tif").array[..., 0], grey)
    tifffile.imwrite(tmp_path / "float.tif", grey.astype(np.float32) / 255)
    assert np.array_equal(PhotoSource(tmp_path / "float.tif").array[..., 1], grey)
    planes = np.stack([grey, grey // 2, grey // 3])
    tifffile.imwrite(tmp_path / "planar.tif", planes, photometric="rgb", planarconfig="separate")
    assert np.array_equal(PhotoSource(tmp_path / "planar.tif").array, planes.transpose(1, 2, 0))


def test_several_pages_are_noted(tmp_path, rgb):
    tifffile.imwrite(tmp_path / "a.tif", np.stack([rgb, rgb // 2]), photometric="rgb")
    source = PhotoSource(tmp_path / "a.tif")
    assert np.array_equal(source.array, rgb)
    assert source.metadata["notes"] == ["The file holds 2 images of this size; the first is shown."]


def test_ome_tiff_gives_the_pixel_size(tmp_path, rgb):
    write_ome_tiff(rgb, tmp_path / "a.ome.tif", pixel_size=(0.004, 0.005), unit="mm", axes="YXS")
    source = PhotoSource(tmp_path / "a.ome.tif")
    assert source.spacing.values == pytest.approx((4, 5))
    assert (source.spacing.unit, source.spacing.origin) == ("um", "OME-XML")
    assert np.array_equal(source.array, rgb)


def test_ome_stack_is_no_photograph(tmp_path):
    write_ome_tiff(np.zeros((6, 8, 9), np.uint8), tmp_path / "a.ome.tif", axes="ZYX")
    with pytest.raises(UnsupportedFormatError, match=r"is a stack .Z 6 × Y 8 × X 9., not a photograph"):
        PhotoSource(tmp_path / "a.ome.tif")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.bmp", "deep.png"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.9])
def test_truncated_photographs_are_damage(tmp_path, name, kept):
    noise = np.random.default_rng(0).integers(0, 255, (90, 80, 3)).astype(np.uint8)
    if name == "deep.png":
        (tmp_path / name).write_bytes(imagecodecs.png_encode(noise.astype(np.uint16) * 257))
    else:
        Image.fromarray(noise).save(tmp_path / name)
    block = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(block[: max(20, int(len(block) * kept))])
    with pytest.raises(DamagedFileError, match="is damaged"):
        PhotoSource(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "error"), [(b"", DamagedFileError), (b"hello, I am a text", UnsupportedFormatError)]
)
def test_foreign_files(tmp_path, content, error):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(error, match=r"a\.jpg"):
        PhotoSource(tmp_path / "a.jpg")


def test_absent_file(tmp_path):
    with pytest.raises(UnsupportedFormatError, match="does not exist"):
        PhotoSource(tmp_path / "a.jpg")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "deep.png"])
def test_bombs_are_refused_before_decoding(tmp_path, rgb, name, monkeypatch):
    if name == "deep.png":
        (tmp_path / name).write_bytes(imagecodecs.png_encode(rgb.astype(np.uint16) * 257))
    else:
        Image.fromarray(rgb).save(tmp_path / name)
    monkeypatch.setattr(photo_file, "MAX_PIXELS", 24 * 36 - 1)
    with pytest.raises(UnsupportedFormatError, match="36 × 24 pixels, too many"):
        PhotoSource(tmp_path / name)


def test_a_header_that_claims_a_giant_picture_is_refused(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "a.bmp")
    block = bytearray((tmp_path / "a.bmp").read_bytes())
    block[18:26] = (60000).to_bytes(4, "little") * 2
    (tmp_path / "a.bmp").write_bytes(block)
    with pytest.raises(UnsupportedFormatError, match="too many pixels"):
        PhotoSource(tmp_path / "a.bmp")


def test_every_real_photograph_opens_upright(real_data):
    paths = sorted((real_data / "fundus").rglob("*.jp*g"))[::9]
    assert len(paths) >= 8
    for path in paths:
        with Image.open(path) as image:
            size = image.size
        source = PhotoSource(path)
        assert source.levels[0].shape == size[::-1], path.name
        assert source.metadata["exif_orientation"] == 1


def test_odd_tiffs_open_or_are_refused_in_one_sentence(real_data):
    opened, refused = {}, {}
    for path in sorted((real_data / "odd" / "tiff").iterdir()):
        try:
            opened[path.name] = PhotoSource(path).array.shape
        except MedPatchError as error:
            refused[path.name] = str(error)
    assert set(refused) == {"broken.svs", "unreadable.svs"}
    assert all(text.endswith(".") and "\n" not in text and len(text) < 250 for text in refused.values())
    assert opened["test_orient6.tif"] == (120, 180, 3)
    assert opened["test_orient1.tif"] == (180, 120, 3)
