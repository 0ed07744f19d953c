from pathlib import Path

import pytest

from napari_medpatch.cli.partial_mask import partial_path


@pytest.mark.parametrize(
    ("output", "partial"),
    [
        ("m.nii.gz", "partial-m.nii.gz"),
        ("m.seg.nrrd", "partial-m.seg.nrrd"),
        ("m.png", "partial-m.png"),
        ("m.stl", "partial-m.nii.gz"),
        ("m.ply", "partial-m.nii.gz"),
        ("m.dcm", "partial-m.nii.gz"),
        ("slices", "partial-slices.nii.gz"),
    ],
)
def test_an_unfinished_mask_is_one_file(output, partial):
    assert partial_path(Path("/out") / output) == Path("/out") / partial
