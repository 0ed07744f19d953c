"""Segmentation files opened in the window: as labels, on the image that they belong to."""

from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_medpatch.errors import GeometryError
from napari_medpatch.events import run
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.export import write_mask, write_volume
from napari_medpatch.plugin.layers import META
from napari_medpatch.plugin.links import image_of
from napari_medpatch.plugin.mask_file import is_mask_file, reading_mask
from napari_medpatch.plugin.open import open_paths
from napari_medpatch.plugin.opening import Opener
from napari_medpatch.plugin.saving import save_labels


@pytest.fixture
def series(real_data: Path) -> Path:
    return real_data / "ct" / "LIDC-IDRI-0001_dicom_16slices"


@pytest.fixture(params=["m.dcm", "m.seg.nrrd"])
def segmentation(request: Any, series: Path, tmp_path: Path) -> tuple[Path, np.ndarray]:
    source = open_source(series)
    values = np.zeros(source.data.shape, np.uint8)
    values[2:5, 100:200, 50:90], values[9, 10:20, 10:20] = 1, 2
    names, colours = ("left lung", "nodule"), ("#ff0000", "#0000ff")
    return write_mask(values, source, tmp_path / request.param, class_names=names, colours=colours), values


def looks_right(layer: Any, values: np.ndarray, image: Any) -> None:
    assert isinstance(layer, Labels)
    assert np.array_equal(layer.data, values)
    assert np.array_equal(layer.scale, image.scale)
    assert layer.metadata[META]["class_names"] == ["left lung", "nodule"]
    assert isinstance(layer.colormap, DirectLabelColormap)
    np.testing.assert_allclose(layer.colormap.color_dict[1], (1, 0, 0, 1), atol=0.02)


def test_it_lies_on_its_series(segmentation: tuple[Path, np.ndarray], series: Path) -> None:
    path, values = segmentation
    viewer = ViewerModel()
    image, layer = open_paths(viewer, [series, path])
    looks_right(layer, values, image)
    assert image_of(layer) is image


def test_the_open_tab_reads_it_in_a_worker(
    segmentation: tuple[Path, np.ndarray], series: Path, viewer: Any, qtbot: Any
) -> None:
    path, values = segmentation
    (image,) = open_paths(viewer, [series])
    opener = Opener(viewer, viewer.window._qt_window)
    with qtbot.waitSignal(opener.opened, timeout=20000):
        opener.open([path])
    looks_right(viewer.layers[-1], values, image)
    assert image_of(viewer.layers[-1]) is image


def test_napari_opens_it_too(segmentation: tuple[Path, np.ndarray], series: Path, viewer: Any) -> None:
    path, values = segmentation
    (image,) = open_paths(viewer, [series])
    (layer,) = viewer.open(str(path), plugin="napari-medpatch")
    looks_right(layer, values, image)
    assert viewer.layers[-1] is layer
    assert layer.metadata[META]["source"] == str(series)


def test_without_its_series_it_is_one_sentence(
    segmentation: tuple[Path, np.ndarray], series: Path, real_data: Path
) -> None:
    path, _ = segmentation
    with pytest.raises(GeometryError, match="open the series that it belongs to first"):
        open_paths(ViewerModel(), [path])
    other = real_data / "ct" / "CIP_10002K_ct-64.nii.gz"
    with pytest.raises(GeometryError):
        open_paths(ViewerModel(), [other, path])


def test_the_image_that_fits_is_found_among_several(
    segmentation: tuple[Path, np.ndarray], series: Path, real_data: Path
) -> None:
    path, values = segmentation
    images = open_paths(ViewerModel(), [real_data / "ct" / "CIP_10002K_ct-64.nii.gz", series])
    found = run(reading_mask(path, images))
    assert found.image is images[1]
    assert np.array_equal(found.values, values)


def test_other_files_are_no_masks(series: Path, tmp_path: Path) -> None:
    source = open_source(series)
    assert not is_mask_file(write_volume(source, tmp_path / "ct.nrrd"))
    assert not is_mask_file(next(series.glob("*.dcm")))
    assert not is_mask_file(tmp_path / "gone.dcm")
    assert not is_mask_file(tmp_path)


@pytest.mark.parametrize(("story", "kind"), [({"model": "m"}, "AUTOMATIC"), ({"made_by": "manual"}, "MANUAL")])
@pytest.mark.parametrize("name", ["m.dcm", "m.seg.nrrd"])
def test_how_it_was_made_goes_with_the_layer(
    series: Path, tmp_path: Path, name: str, story: dict[str, str], kind: str
) -> None:
    source = open_source(series)
    values = (source.data > 0).astype(np.uint8)
    first = write_mask(values, source, tmp_path / name, class_names=("left lung",), provenance=story)
    _, layer = open_paths(ViewerModel(), [series, first])
    save_labels(layer.data, layer.as_layer_data_tuple()[1], tmp_path / "again.dcm")
    (segment,) = hd.seg.segread(tmp_path / "again.dcm").SegmentSequence
    assert segment.SegmentAlgorithmType == kind
    assert segment.get("SegmentAlgorithmName") == story.get("model")
