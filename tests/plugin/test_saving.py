"""What layers hold, written and read back: napari's own Save, and the functions behind the Export tab."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_medpatch.errors import LabelsError, MedPatchError, OutputError
from napari_medpatch.events import run
from napari_medpatch.infer.classify import classify
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.io.detect import open_source
from napari_medpatch.io.labels_file import read_labels
from napari_medpatch.io.score_csv import read_patch_scores
from napari_medpatch.plugin.layers import like_source, provenance
from napari_medpatch.plugin.open import open_paths
from napari_medpatch.plugin.saving import save_labels
from napari_medpatch.plugin.saving_scores import save_scores
from napari_medpatch.plugin.tissue_layer import add_tissue, find_tissue


@pytest.fixture
def oblique_file(tmp_path: Path) -> Path:
    """A CT whose axes are swapped and whose affine is oblique."""
    affine = np.array([[0.1, 1.4, 0.0, 5], [-1.5, 0.1, 0.2, -7], [0.0, 0.1, 2.9, 11], [0, 0, 0, 1]])
    values = np.random.default_rng(1).integers(-1000, 300, (6, 7, 8)).astype(np.int16)
    nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / "oblique.nii.gz")
    return tmp_path / "oblique.nii.gz"


def mask_on(image: Any, role: str = "mask", **facts: Any) -> Labels:
    values = np.random.default_rng(2).integers(0, 3, image.data.shape[: image.ndim]).astype(np.uint8)
    return Labels(
        values, metadata=provenance(image, role, class_names=["lung", "heart"], **facts), **like_source(image)
    )


def test_napari_saves_a_mask_on_the_exact_grid_of_the_file(oblique_file: Path, tmp_path: Path) -> None:
    viewer = ViewerModel()
    (image,) = open_paths(viewer, [oblique_file])
    mask = mask_on(image)
    assert mask.save(str(tmp_path / "mask.nii.gz"), plugin="napari-medpatch") == [str(tmp_path / "mask.nii.gz")]
    original, written = nibabel.load(oblique_file), nibabel.load(tmp_path / "mask.nii.gz")
    assert written.shape == original.shape
    np.testing.assert_allclose(written.affine, original.affine, atol=1e-5)
    with closing(open_source(oblique_file)) as source:
        assert np.array_equal(read_labels(tmp_path / "mask.nii.gz", source), mask.data)


@pytest.mark.parametrize("suffix", [".png", ".ome.tiff"])
def test_a_photograph_mask_comes_back(photo: ArraySource, tmp_path: Path, suffix: str) -> None:
    image = Image(photo.data, rgb=True, metadata={"medpatch_source": photo, "medpatch": {"kind": "photo"}})
    mask = mask_on(image)
    path = save_labels(mask.data, {"metadata": mask.metadata}, tmp_path / f"mask{suffix}")
    assert np.array_equal(read_labels(path, photo), mask.data)


def test_labels_from_elsewhere_keep_their_scale(tmp_path: Path) -> None:
    layer = Labels(np.arange(24, dtype=np.int32).reshape(2, 3, 4), scale=(3000, 500, 700), units=("um",) * 3)
    (path,) = layer.save(str(tmp_path / "plain.nii.gz"), plugin="napari-medpatch")
    np.testing.assert_allclose(nibabel.load(path).header.get_zooms(), (0.7, 0.5, 3.0), rtol=1e-5)


def test_probabilities_are_kept_as_values(oblique_file: Path, tmp_path: Path) -> None:
    (image,) = open_paths(ViewerModel(), [oblique_file])
    facts = provenance(image, "probability", class_names=["lung", "heart"], class_index=1)
    values = np.random.default_rng(3).integers(0, 256, image.data.shape).astype(np.uint8)
    layer = Image(values, metadata=facts, **like_source(image))
    (path,) = layer.save(str(tmp_path / "p.nii.gz"), plugin="napari-medpatch")
    written = nibabel.load(path)
    assert written.shape[:3] == nibabel.load(oblique_file).shape
    restored = image.metadata["medpatch_source"].from_original(np.asarray(written.dataobj).reshape(written.shape[:3]))
    np.testing.assert_allclose(restored, values / 255, atol=1e-6)


def test_an_image_is_not_taken_for_a_result(oblique_file: Path, tmp_path: Path) -> None:
    (image,) = open_paths(ViewerModel(), [oblique_file])
    with pytest.raises(OutputError, match="holds no probabilities"):
        image.save(str(tmp_path / "ct.nii.gz"), plugin="napari-medpatch")
    assert list(tmp_path.glob("ct*")) == []


@pytest.mark.parametrize(
    ("values", "name", "error"),
    [
        (np.full((48, 64), 300), "m.png", LabelsError),
        (np.zeros((48, 64), np.uint8), "m.nii.gz", OutputError),
        (np.zeros((48, 64), np.uint8), "m.docx", OutputError),
        (np.zeros((2, 2, 2, 2), np.uint8), "m.nii.gz", OutputError),
    ],
)
def test_what_cannot_be_written_is_said(tmp_path: Path, values: Any, name: str, error: type[MedPatchError]) -> None:
    with pytest.raises(error) as caught:
        save_labels(values, {"metadata": {}, "name": "labels"}, tmp_path / name)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_labels_of_several_resolutions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match="several resolutions"):
        save_labels([np.zeros((4, 4)), np.zeros((2, 2))], {}, tmp_path / "m.png")


def test_tissue_and_scores_of_a_slide(slide_file: Path, classifier: Any, tmp_path: Path) -> None:
    viewer = ViewerModel()
    (image,) = open_paths(viewer, [slide_file])
    source = image.metadata["medpatch_source"]
    layer = add_tissue(viewer, image, run(find_tissue(source)))
    outlines = save_labels(layer.data, {"metadata": layer.metadata}, tmp_path / "tissue.geojson")
    assert '"tissue"' in outlines.read_text()
    result = run(classify(source, classifier))
    attributes = {"metadata": provenance(image, "heat map")}
    table = save_scores(result, attributes, tmp_path / "scores.csv")
    assert len(read_patch_scores(table).boxes) == len(result.grid.cells)
    assert save_scores(result, attributes, tmp_path / "tiles.geojson").is_file()
    folder = save_scores(result, attributes, tmp_path / "all")
    assert {path.name for path in folder.iterdir()} == {
        f"phantom{s}" for s in (".csv", ".geojson", ".ome.tiff", ".json")
    }
    with pytest.raises(OutputError, match="folder for all files"):
        save_scores(result, attributes, tmp_path / "scores.xlsx")


def class_map(labels: Any, slide_file: Path) -> tuple[Any, dict[str, Any]]:
    """A class map whose cells are 100 pixels apart and centred on patches of 140."""
    source = open_source(slide_file)
    facts = {"role": "class map", "class_names": ["other", "tumour"], "deciding": 0.5}
    facts |= {"stride_px": [100, 100], "corner_px": [20.0, 20.0]}
    return source, {"metadata": {"medpatch": facts, "medpatch_source": source}, "name": "classes"}


def test_a_class_map_is_written_where_its_patches_lie(slide_file: Path, tmp_path: Path) -> None:
    labels = np.array([[0, 1, 1], [2, 2, 0]], np.uint8)
    source, attributes = class_map(labels, slide_file)
    with closing(source):
        features = json.loads(save_labels(labels, attributes, tmp_path / "c.geojson").read_text())["features"]
        corners = {f["properties"]["classification"]["name"]: f["geometry"]["coordinates"][0] for f in features}
        assert np.min(corners["other"], axis=0).tolist() == [120, 20]
        assert np.max(corners["other"], axis=0).tolist() == [320, 120]
        assert np.min(corners["tumour"], axis=0).tolist() == [20, 120]
        save_labels(labels, attributes, tmp_path / "c.ome.tiff")
        with tifffile.TiffFile(tmp_path / "c.ome.tiff") as file:
            assert np.array_equal(file.asarray(), labels)
            assert f'PhysicalSizeX="{100 * source.spacing.values[1]:g}' in file.ome_metadata
        save_labels(labels, attributes, tmp_path / "c.png")
        with pytest.raises(OutputError, match="class map"):
            save_labels(labels, attributes, tmp_path / "c.nii.gz")


def test_scores_are_written_at_the_threshold_that_was_chosen(slide_file: Path, classifier: Any, tmp_path: Path) -> None:
    with closing(open_source(slide_file)) as source:
        result = run(classify(source, classifier))
        middle = float(np.nanmedian(result.probabilities[..., 1]))
        facts = {"role": "heat map", "deciding": middle}
        attributes = {"metadata": {"medpatch": facts, "medpatch_source": source}}
        save_scores(result, attributes, tmp_path / "all")
        score = json.loads((tmp_path / "all" / "phantom.json").read_text())["score"]
        assert score["threshold"] == middle
        assert score["classes"]["tumour"]["fraction_above"] == pytest.approx(0.5, abs=0.1)
        features = json.loads((tmp_path / "all" / "phantom.geojson").read_text())["features"]
        named = [feature["properties"]["classification"]["name"] for feature in features]
        values = [feature["properties"]["measurements"]["prob_tumour"] for feature in features]
        assert named == ["tumour" if value >= middle - 1e-6 else "other" for value in values]
