from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from napari_medpatch.errors import BundleError
from napari_medpatch.models.classifiers import build_classifier
from napari_medpatch.models.registry import resolve_model
from napari_medpatch.models.state_names import head_rows, match_names

WANTED = ["conv1.weight", "layer.0.conv1.weight", "fc.weight", "fc.bias"]


def test_equal_names_stay() -> None:
    assert match_names(WANTED, WANTED) == {name: name for name in WANTED}


@pytest.mark.parametrize("prefix", ["model.", "module.", "backbone.", "net.encoder.", "_orig_mod.", "module.model."])
def test_any_prefix_is_taken_away(prefix: str) -> None:
    assert match_names(WANTED, [prefix + name for name in WANTED]) == {prefix + name: name for name in WANTED}


def test_what_lies_beside_the_network_is_left_out() -> None:
    found = ["model." + name for name in WANTED] + ["criterion.weight", "ema.conv1.weight"]
    assert match_names(WANTED, found) == {"model." + name: name for name in WANTED}


def test_what_lies_within_is_kept_to_be_noticed() -> None:
    found = ["model." + name for name in WANTED] + ["model.extra.weight"]
    assert match_names(WANTED, found)["model.extra.weight"] == "extra.weight"


@pytest.mark.parametrize("head", ["head", "classifier", "backbone.fc2"])
def test_a_head_of_another_name_is_the_layer_left_over(head: str) -> None:
    found = ["backbone." + name for name in WANTED[:2]] + [f"{head}.weight", f"{head}.bias"]
    matched = match_names(WANTED, found)
    assert sorted(matched.values()) == sorted(WANTED)
    assert matched[f"{head}.bias"] == "fc.bias"


def test_of_two_layers_left_over_none_is_guessed() -> None:
    found = [*WANTED[:2], "a.weight", "a.bias", "b.weight", "b.bias"]
    assert not {"fc.weight", "fc.bias"} & set(match_names(WANTED, found).values())


def test_the_width_of_a_head() -> None:
    assert head_rows("head.fc", {"model.head.fc.bias": (5,), "model.head.fc.weight": (5, 8)}) == 5
    assert head_rows("fc", {"fc.weight": (3, 8)}) == 3
    assert head_rows("fc", {"xfc.weight": (3, 8)}) is None


# fc, classifier, head, head.fc, last_linear, (head, head_dist)
HEADS = ("resnet10t", "vit_tiny_patch16_224", "convnext_atto", "inception_v4", "deit_tiny_distilled_patch16_224")


@pytest.mark.slow
@pytest.mark.parametrize("architecture", HEADS)
def test_heads_of_all_names(tmp_path: Path, architecture: str) -> None:
    assert_weights_load(tmp_path, architecture, "")


@pytest.mark.parametrize("prefix", ["", "model.", "module.backbone."])
def test_users_weights_load_into_timm_networks(tmp_path: Path, prefix: str) -> None:
    assert_weights_load(tmp_path, "mobilenetv2_035", prefix)


def assert_weights_load(folder: Path, architecture: str, prefix: str) -> None:
    torch.manual_seed(0)
    network = build_classifier(architecture, 3).eval()
    state = {prefix + key: tensor.clone() for key, tensor in network.state_dict().items()}
    save_file(state, folder / "w.safetensors")
    bundle = resolve_model(f"timm:{architecture}", weights=folder / "w.safetensors")
    assert bundle.card.num_classes == 3
    edge = 224 if "patch" in architecture else 96
    batch = torch.rand(1, 3, edge, edge)
    with torch.inference_mode():
        torch.testing.assert_close(bundle.load()(batch), network(batch))


def renamed(folder: Path, **extra: torch.Tensor) -> Path:
    """Weights of a backbone and a head of the user's own names."""
    network = build_classifier("mobilenetv2_035", 4)
    state = {key.replace("classifier", "my_head"): tensor for key, tensor in network.state_dict().items()}
    state = {key if key.startswith("my_head") else "encoder." + key: tensor for key, tensor in state.items()}
    save_file(state | extra, folder / "w.safetensors")
    return folder / "w.safetensors"


def test_a_head_of_the_users_own_name(tmp_path: Path) -> None:
    bundle = resolve_model("timm:mobilenetv2_035", weights=renamed(tmp_path), class_names=["a", "b", "c", "d"])
    assert bundle.load()(torch.rand(1, 3, 32, 32)).shape == (1, 4)


def test_two_heads_are_one_sentence(tmp_path: Path) -> None:
    weights = renamed(tmp_path, **{"aux.weight": torch.zeros(4, 1280), "aux.bias": torch.zeros(4)})
    with pytest.raises(BundleError, match="has no layer classifier, so it does not hold mobilenetv2_035's weights"):
        resolve_model("timm:mobilenetv2_035", weights=weights)


def test_half_precision_loads_as_float32(tmp_path: Path) -> None:
    network = build_classifier("mobilenetv2_035", 2).eval()
    for dtype in (torch.float16, torch.bfloat16):
        state = {k: v.to(dtype) if v.is_floating_point() else v for k, v in network.state_dict().items()}
        save_file(state, tmp_path / "w.safetensors")
        model = resolve_model("timm:mobilenetv2_035", weights=tmp_path / "w.safetensors").load()
        assert {p.dtype for p in model.parameters()} == {torch.float32}
        torch.testing.assert_close(model.conv_stem.weight, network.conv_stem.weight, atol=1e-2, rtol=1e-2)


def test_a_wrong_number_of_classes_is_one_sentence(tmp_path: Path) -> None:
    save_file(build_classifier("mobilenetv2_035", 3).state_dict(), tmp_path / "w.safetensors")
    with pytest.raises(BundleError, match="has 3 outputs but 2 class names; give 3"):
        resolve_model("timm:mobilenetv2_035", weights=tmp_path / "w.safetensors", class_names=["a", "b"])
    with pytest.raises(BundleError, match="has 3 outputs but 5 were asked for; give 3"):
        resolve_model("timm:mobilenetv2_035", weights=tmp_path / "w.safetensors", num_classes=5)


def test_another_size_of_the_same_family_is_named(tmp_path: Path) -> None:
    save_file(build_classifier("mobilenetv2_050", 3).state_dict(), tmp_path / "w.safetensors")
    bundle = resolve_model("timm:mobilenetv2_035", weights=tmp_path / "w.safetensors")
    with pytest.raises(BundleError, match=r"has shape .* where .* is needed"):
        bundle.load()
