"""The demonstration runs whole and writes what the README promises."""

from pathlib import Path

import pytest

from napari_medpatch.cli.progress import consume
from napari_medpatch.demo import demo_steps


@pytest.fixture(scope="module")
def demonstrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    for step in demo_steps(folder, seconds=8):
        consume(step.start(), step.title, quiet=True)
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "thorax_lungs.nii.gz",
        "thorax_lungs_probability.nii.gz",
        "thorax_lungs.ome.tiff",
        "fundus_vessels.png",
        "fundus_vessels_probability.png",
        "fundus_vessels.geojson",
        "slide.csv",
        "slide.geojson",
        "slide.ome.tiff",
        "slide.json",
        "thorax_retrained.nii.gz",
        "retrained-model/config.json",
        "retrained-model/model.safetensors",
    ],
)
def test_file_is_written(demonstrated: Path, name: str) -> None:
    assert (demonstrated / name).stat().st_size > 0


def test_phantom_lungs_are_found(demonstrated: Path) -> None:
    import nibabel
    import numpy as np

    from napari_medpatch.samples import sample_path

    found = np.asarray(nibabel.load(demonstrated / "thorax_lungs.nii.gz").dataobj) > 0
    truth = np.asarray(nibabel.load(sample_path("thorax_truth")).dataobj)
    assert found.shape == truth.shape
    assert 0.02 < found.mean() < 0.6
    assert truth[found].astype(bool).mean() > 0.95
