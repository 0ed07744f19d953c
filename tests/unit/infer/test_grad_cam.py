"""Grad-CAM of ordinary and TorchScript classifiers."""

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_medpatch.errors import BundleError, ResourceError
from napari_medpatch.infer.cam_layers import Layout, layout_of, positions
from napari_medpatch.infer.grad_cam import GradCam
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.classifiers import build_classifier

EDGE = 64
STEPS = (
    {"name": "Resize", "arguments": {"size": EDGE}},
    {"name": "ToTensor"},
    {"name": "Normalize", "arguments": {"mean": [0.5] * 3, "std": [0.5] * 3}},
)


class Ready:
    """A bundle of a network in memory."""

    weights = None
    path = Path("ready")

    def __init__(self, model: Any, classes: tuple[str, ...] = ("other", "tumour"), task: str = "patch-classifier"):
        self.card = ModelCard("ready", task, "any", classes, patch_size_pixels=EDGE, spacing_um_px=0.5, transform=STEPS)
        self._model = model.eval()
        for parameter in model.parameters():
            parameter.requires_grad_(False)

    def load(self, device: Any = "cpu") -> Any:
        return self._model.to(device)


@pytest.fixture
def make() -> Callable[..., torch.nn.Module]:
    def build(name: str, classes: int = 2, **options: Any) -> torch.nn.Module:
        torch.manual_seed(0)
        return build_classifier(name, classes, **options).eval()

    return build


def written(model: torch.nn.Module, how: str = "trace") -> Any:
    """Return a network as it comes back from a TorchScript file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        module = torch.jit.trace(model, torch.zeros(1, 3, EDGE, EDGE)) if how == "trace" else torch.jit.script(model)
    buffer = io.BytesIO()
    torch.jit.save(module, buffer)
    buffer.seek(0)
    return torch.jit.load(buffer)


def noise(count: int = 3, edge: int = EDGE) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, edge, edge, 3), np.uint8)


@pytest.mark.parametrize(
    ("name", "options", "layer", "rows"),
    [
        ("resnet18", {}, "layer4", 2),
        ("resnet18", {"hidden": [8], "pooling": "avgmax"}, "backbone.layer4", 2),
        ("densenet121", {}, "features", 2),
        ("test_efficientnet", {}, "bn2", 2),
        ("mobilenetv3_small_050", {}, "blocks", 2),
        ("mobilenetv2_050", {}, "bn2", 2),
        ("convnext_atto", {}, "norm_pre", 2),
        # The class token alone is read after the last attention: the layer before it is explained.
        ("test_vit", {"img_size": EDGE}, "blocks.5.norm1", 4),
    ],
)
def test_the_last_layer_with_positions_is_found(make, name: str, options: dict, layer: str, rows: int) -> None:
    cam = GradCam(Ready(make(name, **options)), device="cpu")
    maps, probabilities, classes = cam.maps(noise())
    assert cam.layer == layer
    assert maps.shape == (3, rows, rows)
    assert (maps >= 0).all()
    assert np.array_equal(classes, probabilities.argmax(axis=1))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_the_map_is_that_of_the_paper(make) -> None:
    """Compare with the formula, evaluated by hand on a network in two halves."""
    model = make("resnet18")
    cam = GradCam(Ready(model), device="cpu")
    batch = cam._prepared(noise())
    features = model.forward_features(batch).detach().requires_grad_(True)
    logits = model.forward_head(features)
    logits[:, 1].sum().backward()
    weights = features.grad.mean(dim=(2, 3))
    expected = torch.relu(torch.einsum("nc,ncyx->nyx", weights, features.detach()))
    maps, probabilities, _ = cam.maps(noise(), 1)
    np.testing.assert_allclose(maps, expected, atol=1e-6)
    np.testing.assert_allclose(probabilities, logits.detach().softmax(1), atol=1e-6)


@pytest.mark.parametrize("how", ["trace", "script"])
@pytest.mark.parametrize("layer", [None, "layer4.1.conv2", "layer2.0.bn1"])
def test_torchscript_gives_what_the_network_gives(make, how: str, layer: str | None) -> None:
    model = make("resnet18")
    ours = GradCam(Ready(model), device="cpu", layer=layer)
    script = GradCam(Ready(written(model, how)), device="cpu", layer=layer)
    assert script.layer == ours.layer
    for class_index in (None, 1):
        expected, found = ours.heat(noise(), class_index), script.heat(noise(), class_index)
        assert np.abs(found.heat - expected.heat).max() <= 1e-4
        raw, again = ours.maps(noise(), class_index)[0], script.maps(noise(), class_index)[0]
        assert np.abs(again - raw).max() <= 1e-4
        np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options"), [("test_vit", {"img_size": EDGE}), ("mobilenetv3_small_050", {"hidden": [8]})]
)
def test_other_torchscript_networks_are_opened_too(make, name: str, options: dict) -> None:
    model = make(name, **options)
    expected = GradCam(Ready(model), device="cpu").maps(noise())[0]
    found = GradCam(Ready(written(model)), device="cpu").maps(noise())[0]
    assert np.abs(found - expected).max() <= 1e-4


def test_it_points_at_what_the_class_is_made_of() -> None:
    """A network that sums red pixels must be hot where red is, for its class only."""
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 2, 1, bias=False),
        torch.nn.ReLU(),
        torch.nn.AvgPool2d(8),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
    )
    net[0].weight.data = torch.tensor([[1.0, 0, 0], [0, 0, 1.0]])[..., None, None]
    patch = np.zeros((1, EDGE, EDGE, 3), np.uint8)
    patch[0, :16, :16, 0] = 255
    patch[0, -16:, -16:, 2] = 255
    cam = GradCam(Ready(net, ("red", "blue")), device="cpu")
    red, blue = (cam.heat(patch, index).heat[0] for index in (0, 1))
    assert red[:12, :12].min() > 0.9 > 0.1 > red[20:, 20:].max()
    assert blue[-12:, -12:].min() > 0.9 > 0.1 > blue[:40, :40].max()
    assert red.max() == blue.max() == 1


def test_one_logit_and_other_patch_sizes(make) -> None:
    cam = GradCam(Ready(make("resnet18", 1), ("Tumor",)), device="cpu")
    result = cam.heat(noise(2, 100))
    assert result.heat.shape == (2, 100, 100)
    assert result.probabilities.shape == (2, 1)
    assert ((result.probabilities > 0) & (result.probabilities < 1)).all()
    assert result.classes.tolist() == [0, 0]


def test_a_multiple_instance_model_explains_its_instances(make) -> None:
    model = make("resnet18", 3)
    cam = GradCam(Ready(model, ("a", "b"), "slide-mil"), device="cpu")
    maps, probabilities, classes = cam.maps(noise())
    assert probabilities.shape == (3, 2)
    assert set(classes.tolist()) <= {0, 1}
    # The attention column is not a class: leaving it out of the network changes nothing.
    model.fc.weight.data[2] = 100
    np.testing.assert_allclose(GradCam(Ready(model, ("a", "b"), "slide-mil"), device="cpu").maps(noise())[0], maps)


@pytest.mark.parametrize("kind", ["network", "script"])
def test_gated_attention_networks_are_opened_below_their_pooling(kind: str) -> None:
    from napari_medpatch.models.mil import build_mil

    torch.manual_seed(0)
    model = build_mil("resnet18", 2).eval()
    cam = GradCam(Ready(model if kind == "network" else written(model), task="slide-mil"), device="cpu")
    maps, probabilities, _ = cam.maps(noise(), 1)
    assert maps.shape == (3, 2, 2)
    features = model.backbone.forward_features(cam._prepared(noise())).detach().requires_grad_(True)
    logits = model.head(features.mean((2, 3)))
    logits[:, 1].sum().backward()
    weights = features.grad.mean(dim=(2, 3))
    np.testing.assert_allclose(maps, torch.relu(torch.einsum("nc,ncyx->nyx", weights, features.detach())), atol=1e-5)
    np.testing.assert_allclose(probabilities, logits.detach().softmax(1), atol=1e-5)


def test_a_frozen_file_is_opened_too(make) -> None:
    model = make("resnet18")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frozen = torch.jit.freeze(written(model))
    found = GradCam(Ready(frozen), device="cpu").maps(noise())[0]
    assert np.abs(found - GradCam(Ready(model), device="cpu").maps(noise())[0]).max() <= 1e-4


def test_a_fixed_batch_size_and_other_tasks_are_one_sentence(make) -> None:
    class One(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(1, 3, EDGE, EDGE).mean((2, 3))[:, :2]

    with pytest.raises(BundleError, match="TorchScript file of ready cannot be opened at a layer"):
        GradCam(Ready(written(One())), device="cpu")
    with pytest.raises(BundleError, match="is a segment-2d model; Grad-CAM explains patch classifiers"):
        GradCam(Ready(make("resnet18"), task="segment-2d"), device="cpu")


def test_raw_values_are_comparable_and_normalised_ones_are_not(make) -> None:
    cam = GradCam(Ready(make("resnet18")), device="cpu")
    raw, scaled = cam.heat(noise(), 1, normalise=False).heat, cam.heat(noise(), 1).heat
    assert scaled.max(axis=(1, 2)).tolist() == [1, 1, 1]
    np.testing.assert_allclose(raw / raw.max(axis=(1, 2), keepdims=True), scaled, atol=1e-6)


@pytest.mark.parametrize("kind", ["network", "script"])
def test_an_unknown_layer_names_close_ones(make, kind: str) -> None:
    model = make("resnet18")
    bundle = Ready(model if kind == "network" else written(model))
    with pytest.raises(BundleError, match=r"Layer 'layer44' of ready does not exist; did you mean .*layer4"):
        GradCam(bundle, device="cpu", layer="layer44")
    with pytest.raises(BundleError, match=r"'fc' of ready gives .*, not a map"):
        GradCam(bundle, device="cpu", layer="fc")


@pytest.mark.parametrize("kind", ["network", "script"])
def test_a_network_without_positions_is_one_sentence(kind: str) -> None:
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * EDGE * EDGE, 2))
    if kind == "script":
        net = written(net)
    with pytest.raises(BundleError, match="has no layer with a map of features"):
        GradCam(Ready(net), device="cpu")


def test_a_class_that_does_not_exist_is_refused(make) -> None:
    with pytest.raises(BundleError, match="no class 2; its classes are 0 to 1"):
        GradCam(Ready(make("resnet18")), device="cpu").heat(noise(), 2)


def test_out_of_memory_halves_the_batch(make, monkeypatch: pytest.MonkeyPatch) -> None:
    cam = GradCam(Ready(make("resnet18")), device="cpu")
    cam.batch_size = 8
    expected, cut, most = cam.maps(noise(5))[0], cam._cut, [2]

    def small(batch: torch.Tensor) -> Any:
        if len(batch) > most[0]:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return cut(batch)

    small.layer = cut.layer
    monkeypatch.setattr(cam, "_cut", small)
    np.testing.assert_allclose(cam.maps(noise(5))[0], expected, atol=1e-6)
    assert cam.batch_size == 2
    most[0] = 0
    with pytest.raises(ResourceError, match="single patch of ready"):
        cam.maps(noise(1))


@pytest.mark.parametrize(
    ("shape", "batch", "expected"),
    [
        ((2, 512, 7, 7), (2, 3, 224, 224), Layout("NCHW", 0, 7, 7)),
        ((2, 7, 7, 512), (2, 3, 224, 224), Layout("NHWC", 0, 7, 7)),
        ((2, 197, 192), (2, 3, 224, 224), Layout("tokens", 1, 14, 14)),
        ((2, 201, 192), (2, 3, 224, 224), Layout("tokens", 5, 14, 14)),
        ((2, 512, 7, 14), (2, 3, 224, 448), Layout("NCHW", 0, 7, 14)),
        ((2, 98, 64), (2, 3, 224, 448), Layout("tokens", 0, 7, 14)),
        ((2, 512, 1, 1), (2, 3, 224, 224), None),
        ((2, 512), (2, 3, 224, 224), None),
        ((8, 3, 49, 49), (2, 3, 224, 224), None),
    ],
)
def test_layouts(shape: tuple[int, ...], batch: tuple[int, ...], expected: Layout | None) -> None:
    assert layout_of(shape, batch) == expected
    if expected is not None:
        assert positions(torch.zeros(shape), expected).shape[2:] == (expected.rows, expected.cols)
