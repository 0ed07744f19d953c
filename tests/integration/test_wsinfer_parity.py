"""A real TorchScript network as a zoo bundle: WSInfer's path written down again, our exact path, our fast one."""

import copy
import json
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_medpatch.events import run
from napari_medpatch.infer.classify import ClassifyResult, ClassifySettings, classify
from napari_medpatch.io.detect import open_source
from napari_medpatch.models.bundle import Bundle, load_bundle
from napari_medpatch.samples.store import sample_path

MEAN, STD = [0.7238, 0.5716, 0.6779], [0.112, 0.1459, 0.1089]
NETWORK = 112
TOLERANCE = 0.005


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def script() -> torch.jit.ScriptModule:
    """ResNet18, untrained, but with batch statistics and an answer that varies from patch to patch."""
    from torchvision.models import resnet18

    torch.manual_seed(0)
    model = resnet18(num_classes=2).train()
    with torch.no_grad():
        for _ in range(5):
            model(torch.randn(16, 3, 64, 64))
        model.fc.weight.mul_(4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(model.eval(), torch.zeros(1, 3, NETWORK, NETWORK), check_trace=False)


@pytest.fixture
def zoo(script: torch.jit.ScriptModule, tmp_path: Path):
    """Write a bundle as the zoo lays it out: patch size and spacing, and how little the network minds details."""

    def make(pixels: int, spacing: float, calm: float = 1.0) -> Bundle:
        folder = tmp_path / f"resnet18-{pixels}-{spacing}"
        folder.mkdir()
        config = {
            "spec_version": "1.0",
            "architecture": "resnet18",
            "num_classes": 2,
            "class_names": ["Other", "Tumor"],
            "patch_size_pixels": pixels,
            "spacing_um_px": spacing,
            "transform": [
                {"name": "Resize", "arguments": {"size": NETWORK}},
                {"name": "ToTensor"},
                {"name": "Normalize", "arguments": {"mean": MEAN, "std": STD}},
            ],
        }
        (folder / "config.json").write_text(json.dumps(config))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            other = copy.deepcopy(script)
            for parameter in other.fc.parameters():
                parameter.data.div_(calm)
            torch.jit.save(other, str(folder / "torchscript_model.pt"))
        return load_bundle(folder)

    return make


def _wsinfer(path: Path, boxes: list[list[int]], script: torch.jit.ScriptModule) -> np.ndarray:
    """Score patches with OpenSlide, PIL and torch alone."""
    import openslide

    scores = []
    with closing(openslide.OpenSlide(str(path))) as slide:
        for y0, x0, y1, x1 in boxes:
            patch = slide.read_region((x0, y0), 0, (x1 - x0, y1 - y0)).convert("RGB")
            small = np.asarray(patch.resize((NETWORK, NETWORK), Image.Resampling.BILINEAR))
            values = (small.astype(np.float32) / np.float32(255) - np.float32(MEAN)) / np.float32(STD)
            with torch.no_grad():
                logits = script(torch.from_numpy(values.transpose(2, 0, 1)[None].copy()))
            scores.append(torch.softmax(logits, dim=1)[0].numpy())
    return np.stack(scores)


def _both(path: Path, bundle: Bundle) -> tuple[ClassifyResult, ClassifyResult]:
    with closing(open_source(path)) as source:
        fast = run(classify(source, bundle, ClassifySettings(device="cpu")))
        exact = run(classify(source, bundle, ClassifySettings(device="cpu", exact=True)))
    return fast, exact


def _difference(fast: ClassifyResult, exact: ClassifyResult) -> np.ndarray:
    assert np.array_equal(fast.grid.boxes(), exact.grid.boxes())
    rows, cols = exact.grid.cells.T
    return np.abs(fast.probabilities[rows, cols] - exact.probabilities[rows, cols])


def test_exact_path_is_wsinfers_on_a_real_slide(zoo, script, real_data: Path) -> None:
    path = real_data / "wsi" / "CMU-1-Small-Region.svs"
    bundle = zoo(350, 0.5)
    with closing(open_source(path)) as source:
        exact = run(classify(source, bundle, ClassifySettings(device="cpu", exact=True)))
    expected = _wsinfer(path, exact.grid.boxes().tolist(), script)
    found = exact.probabilities[tuple(exact.grid.cells.T)]
    assert len(found) > 10
    assert expected[:, 0].std() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_exact_path_is_wsinfers_where_patches_hang_over_the_edge(zoo, script) -> None:
    path = sample_path("slide")
    bundle = zoo(350, 0.8)
    with closing(open_source(path)) as source:
        exact = run(classify(source, bundle, ClassifySettings(device="cpu", exact=True, min_tissue=0.01)))
        bottom, right = source.levels[0].shape
    boxes = exact.grid.boxes()
    assert (boxes[:, 2] > bottom).any() or (boxes[:, 3] > right).any()
    found = exact.probabilities[tuple(exact.grid.cells.T)]
    np.testing.assert_allclose(found, _wsinfer(path, boxes.tolist(), script), atol=1e-6)


SLIDES = ("CMU-1-Small-Region.svs", "derived_CMU-1-Small-Region_pyramid.tiff", "derived_mosaic_ucsb_dev.tiff")


@pytest.mark.parametrize("name", SLIDES)
@pytest.mark.parametrize(("pixels", "spacing"), [(350, 0.5), (112, 1.0), (100, 1.5)])
def test_fast_path_on_real_slides(zoo, real_data: Path, name: str, pixels: int, spacing: float) -> None:
    fast, exact = _both(real_data / "wsi" / name, zoo(pixels, spacing))
    assert exact.provenance["grid"]["level"] == 0
    assert _difference(fast, exact).mean() < TOLERANCE


@pytest.mark.parametrize(("pixels", "spacing"), [(175, 0.5), (112, 1.0), (60, 2.0)])
def test_fast_path_on_a_simulated_slide(zoo, pixels: int, spacing: float) -> None:
    fast, exact = _both(sample_path("slide"), zoo(pixels, spacing))
    difference = _difference(fast, exact)
    assert exact.probabilities[tuple(exact.grid.cells.T)][:, 0].std() > 0.02
    assert difference.mean() < TOLERANCE


def test_a_network_that_minds_details_less_reads_a_coarser_level(zoo, real_data: Path) -> None:
    fast, exact = _both(real_data / "wsi" / SLIDES[2], zoo(112, 1.0, calm=50))
    assert fast.provenance["grid"]["level"] == 1
    difference = _difference(fast, exact)
    assert 0 < difference.mean() < TOLERANCE


def test_so_it_does_on_a_simulated_slide(zoo, tmp_path: Path) -> None:
    from napari_medpatch.samples.huge_slide import make_huge_slide

    make_huge_slide(tmp_path / "slide.tif", (4000, 4000), tissue="block", tissue_share=0.5, mpp=0.25, factor=2)
    fast, exact = _both(tmp_path / "slide.tif", zoo(112, 0.5, calm=50))
    assert fast.provenance["grid"]["level"] == 1
    assert 0 < _difference(fast, exact).mean() < TOLERANCE
