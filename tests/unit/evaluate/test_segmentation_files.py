"""Masks in files that say what their values mean: DICOM-SEG, NRRD, MetaImage, PNG slices."""

import numpy as np
import pytest
from dicom_cases import write_series

from napari_medpatch.evaluate.mask_files import read_mask
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.export import write_mask


@pytest.mark.parametrize("name", ["m.dcm", "m.seg.nrrd", "m.nrrd", "m.mha", "m.nii.gz", "slices"])
def test_values_and_names_come_back(tmp_path, name):
    source = open_source(write_series(tmp_path / "ct", StudyInstanceUID="1.2.8"))
    mask = np.random.default_rng(0).integers(0, 3, source.data.shape).astype(np.uint8)
    file = read_mask(write_mask(mask, source, tmp_path / name, class_names=("lung", "heart")), source)
    assert np.array_equal(file.values, mask)
    assert file.class_names == ("lung", "heart")
