import numpy as np
import openslide
import pytest
import tifffile

from napari_medpatch.errors import GeometryError
from napari_medpatch.samples import make_slide
from napari_medpatch.samples.slide_layout import SLIDE_CLASSES, draw_layout


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    path = tmp_path_factory.mktemp("slide") / "made.tiff"
    return path, make_slide(path, size=(600, 901), mpp=0.8, seed=1)


def test_openslide_reads_levels_and_pixel_size(slide):
    path, _ = slide
    with openslide.OpenSlide(path) as opened:
        assert opened.dimensions == (901, 600)
        assert opened.level_dimensions == ((901, 600), (450, 300), (225, 150))
        assert float(opened.properties["openslide.mpp-x"]) == pytest.approx(0.8, rel=1e-4)
        assert float(opened.properties["openslide.mpp-y"]) == pytest.approx(0.8, rel=1e-4)


def test_tiles_are_real_jpeg(slide):
    with tifffile.TiffFile(slide[0]) as file:
        for page in file.pages:
            assert page.compression == tifffile.COMPRESSION.JPEG
            assert (page.tilelength, page.tilewidth) == (256, 256)


def test_levels_show_the_same_picture(slide):
    with openslide.OpenSlide(slide[0]) as opened:
        fine = np.asarray(opened.read_region((0, 0), 0, (900, 600)).convert("RGB"), float)
        coarse = np.asarray(opened.read_region((0, 0), 1, (450, 300)).convert("RGB"), float)
    means = fine.reshape(300, 2, 450, 2, 3).mean((1, 3))
    assert np.abs(means - coarse).mean() < 6


def test_truth_fits_the_pixels(slide):
    path, truth = slide
    assert set(np.unique(truth.labels)) == set(range(len(SLIDE_CLASSES)))
    assert truth.labels.shape[0] * truth.downsample[0] == pytest.approx(600)
    assert truth.labels.shape[1] * truth.downsample[1] == pytest.approx(901)
    with openslide.OpenSlide(path) as opened:
        small = np.asarray(opened.get_thumbnail((225, 150)).convert("RGB"), float)
    rows = (np.arange(small.shape[0]) * truth.labels.shape[0] // small.shape[0])[:, None]
    columns = np.arange(small.shape[1]) * truth.labels.shape[1] // small.shape[1]
    labels = truth.labels[rows, columns]
    red = {name: small[labels == value, 0].mean() for value, name in enumerate(SLIDE_CLASSES)}
    assert red["glass"] > 230
    assert red["tumour"] < red["normal"] - 10
    assert red["pen"] < 150


def test_tumour_outlines_enclose_the_tumour(slide):
    from skimage.draw import polygon2mask

    truth = slide[1]
    inside = np.zeros(truth.labels.shape, bool)
    for outline in truth.tumour:
        inside ^= polygon2mask(inside.shape, (outline + 0.5) / truth.downsample - 0.5)
    assert (inside == (truth.labels == 2)).mean() > 0.98


def test_the_seed_decides_and_nothing_else_is_left_behind(tmp_path):
    contents = []
    for name, seed in (("a.tiff", 4), ("b.tiff", 4), ("c.tiff", 5)):
        make_slide(tmp_path / name, size=(300, 300), mpp=0.5, levels=1, seed=seed)
        contents.append(tifffile.imread(tmp_path / name))
    assert np.array_equal(contents[0], contents[1])
    assert not np.array_equal(contents[0], contents[2])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tiff", "b.tiff", "c.tiff"]


def test_fields_are_the_same_whole_and_in_pieces():
    layout = draw_layout((500, 700), np.random.default_rng(0))
    rows, columns = np.arange(500.0), np.arange(700.0)
    whole = layout.at(layout.tumour, rows, columns)
    piece = layout.at(layout.tumour, rows[256:], columns[512:])
    assert np.array_equal(whole[256:, 512:], piece)


@pytest.mark.parametrize(("size", "mpp"), [((10, 500), 0.5), ((500, 500), 0.0)])
def test_impossible_slides_are_refused(tmp_path, size, mpp):
    with pytest.raises(GeometryError, match="impossible"):
        make_slide(tmp_path / "no.tiff", size=size, mpp=mpp)
    assert not list(tmp_path.iterdir())
