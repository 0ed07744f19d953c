import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from napari_medpatch.errors import BundleError
from napari_medpatch.models.bundle import load_bundle, save_bundle
from napari_medpatch.models.card import ModelCard, card_from_config
from napari_medpatch.models.mil import build_mil
from napari_medpatch.models.mil_layers import AttentionMil
from napari_medpatch.models.network import build_network

CARD = ModelCard(
    "clot",
    "slide-mil",
    "mobilenetv2_050",
    ("CE", "LAA"),
    patch_size_pixels=40,
    spacing_um_px=0.5,
    transform=({"name": "Resize", "arguments": {"size": 32}}, {"name": "ToTensor"}),
    network={"attention": 8},
)


@pytest.fixture
def model() -> AttentionMil:
    torch.manual_seed(1)
    model = build_mil("mobilenetv2_050", 3, attention=16).eval()
    with torch.no_grad():
        # A fresh network attends almost equally to everything; make it choose.
        model.weigh.weight.mul_(400)
    return model


def test_a_patch_gets_its_logits_and_one_attention_logit(model: AttentionMil) -> None:
    with torch.no_grad():
        assert model(torch.rand(5, 3, 32, 32)).shape == (5, 4)


@pytest.mark.parametrize("count", [1, 2, 17])
def test_a_slides_logits_are_the_weighted_mean_of_its_patches(model: AttentionMil, count: int) -> None:
    patches = torch.rand(count, 3, 32, 32) * torch.linspace(0.1, 3, count)[:, None, None, None]
    with torch.no_grad():
        batches = torch.cat([model(batch) for batch in patches.split(4)])
        bag = model.bag(patches)
    weights = batches[:, 3].softmax(0)
    assert count == 1 or float(weights.max() / weights.min()) > 1.05
    torch.testing.assert_close(bag, (weights[:, None] * batches[:, :3]).sum(0), atol=1e-5, rtol=1e-5)


def test_the_answer_does_not_depend_on_the_order_of_patches(model: AttentionMil) -> None:
    patches = torch.rand(6, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model.bag(patches), model.bag(patches.flip(0)), atol=1e-5, rtol=1e-5)


def test_gated_attention_follows_the_paper(model: AttentionMil) -> None:
    features = torch.randn(4, model.head.in_features)
    by_hand = [model.weigh.weight[0] @ (torch.tanh(model.content(h)) * torch.sigmoid(model.gate(h))) for h in features]
    torch.testing.assert_close(model.attention(features)[:, 0], torch.stack(by_hand))


def test_one_label_of_a_slide_trains_every_part(model: AttentionMil) -> None:
    torch.nn.functional.cross_entropy(model.train().bag(torch.rand(4, 3, 32, 32))[None], torch.tensor([1])).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_a_bundle_keeps_the_network(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_network(CARD).eval()
    save_bundle(tmp_path / "clot", CARD, network)
    bundle = load_bundle(tmp_path / "clot")
    assert (bundle.card.task, bundle.card.class_names) == ("slide-mil", ("CE", "LAA"))
    batch = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(bundle.load()(batch), network(batch))


@pytest.mark.parametrize(("backbone", "pooling"), [("vit_tiny_patch16_224", "avgmax"), ("vgg11", "max")])
def test_any_backbone_will_do(backbone: str, pooling: str) -> None:
    model = build_mil(backbone, 1, pooling=pooling).eval()
    edge = 224 if backbone.startswith("vit") else 32
    with torch.no_grad():
        assert model(torch.zeros(1, 3, edge, edge)).shape == (1, 2)


def test_a_mil_card_must_say_where_to_look() -> None:
    config = CARD.to_config() | {"spacing_um_px": None}
    with pytest.raises(BundleError, match="spacing_um_px None"):
        card_from_config(config, "clot")


@pytest.mark.parametrize("wrong", [{"attention": 0}, {"pooling": "median"}, {"dropout": 1.0}])
def test_what_cannot_be_built_is_one_sentence(wrong: dict[str, object]) -> None:
    with pytest.raises(BundleError, match="No slide classifier"):
        build_mil("mobilenetv2_050", 2, **wrong)


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(BundleError, match="cannot be built with"):
        build_network(ModelCard("x", "slide-mil", "mobilenetv2_050", ("a", "b"), network={"heads": 4}))


def test_models_lists_it_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDPATCH_DATA", str(tmp_path))
    save_bundle(tmp_path / "models" / "clot", CARD, build_network(CARD))
    done = subprocess.run(
        [sys.executable, "-m", "napari_medpatch", "models", "--json"], capture_output=True, check=True, text=True
    )
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert rows["clot"]["task"] == "slide-mil"
    assert rows["clot"]["spacing"] == 0.5
