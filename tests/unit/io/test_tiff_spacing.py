"""The pixel size in OME-XML, ImageJ headers and resolution tags."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from slide_cases import picture

from napari_medpatch.io.pixel_size import PixelSize
from napari_medpatch.io.tiff_spacing import tiff_pixel_size

PICTURE = picture(32, 48)


def size_of(path: Path, index: int = 0) -> PixelSize:
    with tifffile.TiffFile(path) as tif:
        return tiff_pixel_size(tif, tif.pages.first, index)


def written(path: Path, **options: Any) -> Path:
    tifffile.imwrite(path, PICTURE, photometric="rgb", **options)
    return path


@pytest.mark.parametrize(("unit", "um"), [("CENTIMETER", 10000), ("MILLIMETER", 1000), ("MICROMETER", 1)])
def test_resolution_tags_give_x_and_y_apart(tmp_path: Path, unit: str, um: int) -> None:
    path = written(tmp_path / "a.tif", resolution=(um / 0.25, um / 0.5), resolutionunit=unit, metadata=None)
    spacing = size_of(path).spacing
    assert spacing is not None
    assert spacing.values == pytest.approx((0.5, 0.25), rel=1e-6)
    assert spacing.origin == "TIFF resolution"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"resolution": (20000, 20000), "resolutionunit": "NONE"}, "no unit"),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, "72 dpi"),
        ({"resolution": (1, 1), "resolutionunit": "INCH"}, "1 dpi"),
    ],
)
def test_screen_resolutions_and_missing_units_are_not_used(
    tmp_path: Path, options: dict[str, Any], reason: str
) -> None:
    size = size_of(written(tmp_path / "a.tif", metadata=None, **options))
    assert size.spacing is None
    assert reason in size.note


def test_a_file_without_resolution_tags_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "a.tif", metadata=None)
    with tifffile.TiffFile(path, mode="r+b") as tif:
        for code in (282, 283):
            tag = tif.pages.first.tags[code]
            tif.filehandle.seek(tag.offset)
            tif.filehandle.write((60000 + code).to_bytes(2, "little"))
    size = size_of(path)
    assert size.spacing is None
    assert "no resolution tags" in size.note


@pytest.mark.parametrize(("unit", "factor"), [("µm", 1.0), ("nm", 1000.0), ("mm", 0.001), (None, 1.0)])
def test_ome_xml_gives_the_size_in_any_unit(tmp_path: Path, unit: str | None, factor: float) -> None:
    metadata: dict[str, Any] = {"axes": "YXS", "PhysicalSizeX": 0.25 * factor, "PhysicalSizeY": 0.5 * factor}
    if unit is not None:
        metadata |= {"PhysicalSizeXUnit": unit, "PhysicalSizeYUnit": unit}
    spacing = size_of(written(tmp_path / "a.ome.tif", metadata=metadata)).spacing
    assert spacing is not None
    assert spacing.values == pytest.approx((0.5, 0.25))
    assert spacing.origin == "OME PhysicalSizeX/Y"


@pytest.mark.parametrize("metadata", [{}, {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "pixel"}])
def test_ome_xml_without_a_size_falls_back_to_the_tags(tmp_path: Path, metadata: dict[str, Any]) -> None:
    path = written(
        tmp_path / "a.ome.tif",
        metadata={"axes": "YXS", **metadata},
        resolution=(20000, 20000),
        resolutionunit="CENTIMETER",
    )
    spacing = size_of(path).spacing
    assert spacing is not None
    assert spacing.origin == "TIFF resolution"


def test_the_size_is_that_of_the_right_image(tmp_path: Path) -> None:
    path = tmp_path / "two.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as writer:
        for size in (8.0, 0.25):
            writer.write(PICTURE, photometric="rgb", metadata={"PhysicalSizeX": size, "PhysicalSizeY": size})
    spacings = [size_of(path, index).spacing for index in (0, 1)]
    assert [spacing and spacing.values[0] for spacing in spacings] == [8.0, 0.25]


@pytest.mark.parametrize("unit", ["um", "micron", "\\u00B5m"])
def test_imagejs_micrometres_are_used(tmp_path: Path, unit: str) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((9, 8), np.uint8), imagej=True, resolution=(4, 2), metadata={"unit": unit})
    spacing = size_of(path).spacing
    assert spacing is not None
    assert spacing.values == pytest.approx((0.5, 0.25))
    assert "ImageJ" in spacing.origin
