"""Three painted slices of real CTs must give the rest of the volume."""

import numpy as np
import pytest

from napari_medpatch.annotate.sparse import SparseLabels
from napari_medpatch.events import run
from napari_medpatch.io.labels_file import read_labels
from napari_medpatch.io.volume import VolumeSource
from napari_medpatch.train.fine_tune import FineTuneSettings, fine_tune

CASES = [
    ("LIDC-IDRI-0001_ct_256.nii.gz", "LIDC-IDRI-0001_lungs_derived_256.nii.gz", ("background", "lung")),
    ("CIP_10002K_ct-64.nii.gz", "CIP_10002K_lungs-64.nii.gz", ("background", "lung a", "lung b")),
]


@pytest.mark.slow
@pytest.mark.parametrize(("image", "truth", "names"), CASES)
def test_lungs_from_three_slices(real_data, image, truth, names):
    source = VolumeSource(real_data / "ct" / image)
    mask = read_labels(real_data / "ct" / truth, source)
    extent = np.flatnonzero(mask.any(axis=(1, 2)))
    slices = [int(extent[0] + share * np.ptp(extent)) for share in (0.3, 0.5, 0.7)]
    labels = SparseLabels.from_mask(mask, slices, names)
    result = run(fine_tune(source, labels, settings=FineTuneSettings(steps=2, device="cpu")))
    rest = labels.labels == 0
    for value in range(1, len(names)):
        both = ((result.mask == value) & (mask == value) & rest).sum()
        either = (((result.mask == value) | (mask == value)) & rest).sum()
        assert both / either >= 0.85
