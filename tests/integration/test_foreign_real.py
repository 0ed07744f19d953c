"""Real and odd volumes through networks from elsewhere: a mask on the exact grid, or one sentence."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from foreign_folders import Darkness, write_folder

from napari_medpatch.cli import main

CT = [
    "CIP_10002K_ct-64.nii.gz", "IBSI_ct_phantom.nii.gz", "LIDC-IDRI-0001_ct_256.nii.gz", "STS_001_ct_image.nii.gz",
    "totalseg_example_ct.nii.gz", "totalseg_example_ct_sm.nii.gz",
]  # fmt: skip
ODD = [
    "CT_AVM.nii.gz", "chris_MRA.nii.gz", "orientation.nii.gz", "anatomical.nii", "functional.nii", "nifti1.hdr",
    "someones_epi.nii.gz", "standard.nii.gz",
]  # fmt: skip


class Bright(torch.nn.Module):
    """Calls what is above the volume's middle foreground, after its own normalisation as attention networks do."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([0.5 - x, x - 0.5], dim=1) * 10


@pytest.mark.parametrize("name", CT)
def test_air_of_a_real_ct_is_found_on_its_own_grid(real_data: Path, tmp_path: Path, name: str) -> None:
    network = {"window": [32, 32, 32], "overlap": 0.25, "orientation": "RAS"}
    folder = write_folder(tmp_path / "air", Darkness(0.4), spacing=[5, 5, 5], network=network)
    path, output = real_data / "ct" / name, tmp_path / "air.nii.gz"
    assert main(["segment", str(path), "-m", str(folder), "-o", str(output), "--device", "cpu", "--quiet"]) == 0
    image, mask = nibabel.load(path), nibabel.load(output)
    assert mask.shape == image.shape
    np.testing.assert_allclose(mask.affine, image.affine, atol=1e-5)
    hu, found = np.asarray(image.dataobj), np.asarray(mask.dataobj) > 0
    clear = (hu < -900) | (hu > -100)
    assert ((hu < -440) == found)[clear].mean() > 0.93


@pytest.mark.parametrize("name", ODD)
def test_an_odd_volume_gives_a_mask_on_its_grid_or_one_sentence(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    folder = write_folder(
        tmp_path / "bright", Bright(), intensity={"kind": "percentile"}, network={"window": [48, 48, 48], "overlap": 0}
    )
    path, output = real_data / "odd" / "nifti" / name, tmp_path / "mask.nii.gz"
    code = main(["segment", str(path), "-m", str(folder), "-o", str(output), "--device", "cpu", "--quiet"])
    if code:
        said, *choices = capsys.readouterr().err.strip().splitlines()
        assert code == 2
        assert not choices or "--volume-index" in said, "only what can be chosen takes further lines"
        assert path.name in said or "4D" in said or ".hdr" in said
        return
    image, mask = nibabel.load(path), nibabel.load(output)
    assert mask.shape == image.shape[:3]
    np.testing.assert_allclose(mask.affine, image.affine, atol=1e-4)
    values, found = np.asarray(image.dataobj, np.float64), np.asarray(mask.dataobj) > 0
    low, high = np.nanpercentile(values, (0.5, 99.5))
    clear = np.abs(values - (low + high) / 2) > (high - low) * 0.01
    assert (((values - low) > (high - low) / 2) == found)[clear & np.isfinite(values)].mean() > 0.999
