"""Classify with a real timm network saved as a bundle: the fast path holds to WSInfer's, resumed or not."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_medpatch.events import run
from napari_medpatch.infer.classify import ClassifySettings, classify
from napari_medpatch.infer.classify_folder import classify_folder
from napari_medpatch.io.array_source import ArraySource
from napari_medpatch.models.bundle import Bundle, load_bundle, save_bundle
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.classifiers import build_classifier
from napari_medpatch.models.preprocess import reference_transform

CPU = ClassifySettings(device="cpu")
EXACT = ClassifySettings(device="cpu", exact=True)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    torch.manual_seed(0)
    card = ModelCard(
        "tiny",
        "patch-classifier",
        "test_resnet",
        ("other", "tumour"),
        patch_size_pixels=64,
        spacing_um_px=1.0,
        transform=(
            {"name": "Resize", "arguments": {"size": 48}},
            {"name": "ToTensor"},
            {"name": "Normalize", "arguments": {"mean": [0.7, 0.6, 0.7], "std": [0.2, 0.2, 0.2]}},
        ),
    )
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_bundle(folder, card, build_classifier("test_resnet", 2))
    return load_bundle(folder)


@pytest.fixture(scope="module")
def stained() -> np.ndarray:
    """``(500, 600, 3) uint8``: a textured disc of radius 200 on grey glass."""
    rng = np.random.default_rng(0)
    rgb = np.full((500, 600, 3), 240.0)
    y, x = np.mgrid[:500, :600]
    disc = (y - 250) ** 2 + (x - 300) ** 2 < 200**2
    rgb[disc] = (np.array([150, 70, 150]) + 60 * rng.random((500, 600, 1)))[disc]
    return rgb.astype(np.uint8)


def test_exact_path_is_wsinfers_by_hand(bundle, stained) -> None:
    source = ArraySource(stained, "slide", (0.5, 0.5))
    result = run(classify(source, bundle, EXACT))
    model = bundle.load()
    assert len(result.grid.cells) > 5
    for cell in result.grid.cells[::3]:
        box = result.grid.box(*cell.tolist())
        patch = reference_transform(Image.fromarray(stained[box.slices]), bundle.card)
        with torch.no_grad():
            expected = model(patch[None]).softmax(dim=1)[0].numpy()
        np.testing.assert_allclose(result.probabilities[tuple(cell)], expected, atol=1e-5)


def test_fast_path_holds_to_the_exact_one(bundle, stained) -> None:
    source = ArraySource(stained, "slide", (0.5, 0.5))
    fast, exact = run(classify(source, bundle, CPU)), run(classify(source, bundle, EXACT))
    difference = np.abs(fast.probabilities - exact.probabilities)
    assert np.nanmax(difference) < 2e-3
    assert np.isfinite(difference).all(axis=-1).sum() == len(exact.grid.cells) > 5


def test_same_input_gives_identical_arrays(bundle, stained, tmp_path: Path) -> None:
    source = ArraySource(stained, "slide", (0.5, 0.5), path=Path("a.svs"))
    first = run(classify(source, bundle, CPU, out=tmp_path))
    again = run(classify(source, bundle, CPU))
    read_back = run(classify(source, bundle, CPU, out=tmp_path))
    assert np.array_equal(first.probabilities, again.probabilities, equal_nan=True)
    assert np.array_equal(first.probabilities, read_back.probabilities, equal_nan=True)


def test_folder_scores_equal_those_of_the_patches_of_a_slide(bundle, stained, tmp_path: Path) -> None:
    source = ArraySource(stained, "slide", (0.5, 0.5))
    slide = run(classify(source, bundle, EXACT))
    (tmp_path / "in").mkdir()
    cells = slide.grid.cells[::3]
    assert len(cells) > 1
    for row, col in cells.tolist():
        box = slide.grid.box(row, col)
        Image.fromarray(stained[box.slices]).save(tmp_path / "in" / f"{row:02d}_{col:02d}.png")
    result = run(classify_folder(tmp_path / "in", bundle, CPU, out=tmp_path / "out"))
    by_name = dict(zip(result.scores.files, result.scores.probabilities, strict=True))
    for row, col in cells.tolist():
        np.testing.assert_allclose(by_name[f"{row:02d}_{col:02d}.png"], slide.probabilities[row, col], atol=1e-5)


def test_real_slide_fast_against_exact(bundle, real_data: Path) -> None:
    from napari_medpatch.io.detect import open_source

    source = open_source(real_data / "wsi" / "derived_CMU-1-Small-Region_pyramid.tiff")
    fast, exact = run(classify(source, bundle, CPU)), run(classify(source, bundle, EXACT))
    source.close()
    assert np.array_equal(fast.grid.cells, exact.grid.cells)
    # QuPath calls 0.0026 of mean difference good and 0.076 bad for a change of the resize filter.
    assert np.nanmean(np.abs(fast.probabilities - exact.probabilities)) < 0.01
