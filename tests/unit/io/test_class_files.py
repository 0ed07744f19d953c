from pathlib import Path

import pytest

from napari_medpatch.io.class_colours import PALETTE, class_colour
from napari_medpatch.io.class_files import class_files, class_name, split_suffix


@pytest.mark.parametrize(
    ("name", "names", "files"),
    [
        ("lungs.nii.gz", ("left", "right"), ["lungs-left.nii.gz", "lungs-right.nii.gz"]),
        ("a.b.seg.nrrd", ("left lung",), ["a.b-left_lung.seg.nrrd"]),
        ("slices", ("a", "b"), ["slices-a", "slices-b"]),
        ("m.stl", ("a/b", "../../x", "Gefäß", "肺"), ["m-a_b.stl", "m-x.stl", "m-Gefäß.stl", "m-肺.stl"]),
        ("m.dcm", ("Lung", "lung", "?"), ["m-Lung1.dcm", "m-lung2.dcm", "m-3.dcm"]),
    ],
)
def test_files_are_named_after_their_classes(name, names, files):
    assert [path.name for path in class_files(Path("/out") / name, names)] == files
    assert {path.parent for path in class_files(Path("/out") / name, names)} == {Path("/out")}


def test_suffixes_stay_in_one_piece():
    assert split_suffix(Path("a.NII.GZ")) == ("a", ".NII.GZ")
    assert split_suffix(Path("folder")) == ("folder", "")


def test_values_without_a_name_are_numbered():
    assert [class_name(value, ("a", "")) for value in (1, 2, 3)] == ["a", "class 2", "class 3"]


def test_colours_are_the_palettes_unless_chosen():
    assert class_colour(1) == (0xE6, 0x9F, 0x00)
    assert class_colour(len(PALETTE)) == class_colour(1)
    assert class_colour(2, ("", "#010203")) == (1, 2, 3)
    assert class_colour(1, ("", "#010203")) == class_colour(1)
