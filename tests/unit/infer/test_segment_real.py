"""The path from a real file to a mask; what the shipped models reach is tested with the models."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from unet_bundles import darkness

from napari_medpatch.events import Noted, run
from napari_medpatch.infer.segment import segment
from napari_medpatch.io.detect import open_source

AIR = {"spacing": (4.0, 4.0, 4.0), "spacing_unit": "mm"}


@pytest.mark.parametrize("name", ["CIP_10002K_ct-64", "IBSI_ct_phantom", "STS_001_ct_image"])
def test_air_is_found_in_real_volumes(real_data: Path, tmp_path: Path, name: str) -> None:
    bundle = darkness(tmp_path / "air", below=(-500 + 1000) / 1400, **AIR)
    with closing(open_source(real_data / "ct" / f"{name}.nii.gz")) as source:
        events = list(segment(source, bundle))
        hu = source.data  # type: ignore[attr-defined]
    result = events[-1].result
    assert not [event for event in events if isinstance(event, Noted)]
    air = hu < -500
    assert result.mask.shape == hu.shape
    assert (air & (result.mask == 1)).sum() / (air | (result.mask == 1)).sum() > 0.85


def test_lungs_stand_out_from_the_body(real_data: Path, tmp_path: Path) -> None:
    bundle = darkness(tmp_path / "air", below=(-500 + 1000) / 1400, **AIR, postprocess={"min_component_ml": 50})
    with closing(open_source(real_data / "ct" / "CIP_10002K_ct-64.nii.gz")) as source:
        result = run(segment(source, bundle))
    with closing(open_source(real_data / "ct" / "CIP_10002K_lungs-64.nii.gz")) as truth:
        lungs = np.asarray(truth.data) > 0  # type: ignore[attr-defined]
    assert (result.mask[lungs] == 1).mean() > 0.9
