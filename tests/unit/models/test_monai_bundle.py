import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_folders import NETWORK_DEF, Darkness, monai_files, script, short_config, write_monai
from monai.networks.nets import BasicUNet

from napari_medpatch.errors import BundleError
from napari_medpatch.models.bundle import load_bundle
from napari_medpatch.models.monai_bundle import monai_network
from napari_medpatch.models.monai_config import literal
from napari_medpatch.models.registry import list_models, user_models_folder


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return BasicUNet(**{key: value for key, value in NETWORK_DEF.items() if key != "_target_"})


def test_a_card_is_derived(tmp_path: Path) -> None:
    card = load_bundle(write_monai(tmp_path / "dark_ct", network())).card
    assert (card.name, card.task, card.architecture, card.in_channels) == ("dark_ct", "segment-3d", "monai", 1)
    assert card.class_names == ("background", "dark")
    # x, y, z of the bundle are z, y, x here.
    assert card.spacing == (3.0, 2.0, 1.5)
    assert dict(card.network) == {
        "activation": "softmax", "background": True, "orientation": "RAS", "window": [48, 16, 32], "overlap": 0.5,
        "blend": "gaussian",
    }  # fmt: skip
    assert card.intensity == {"kind": "hu_window", "low": -1000, "high": 400, "to": [0, 1], "clip": True}
    assert card.licence == "CC0"


def test_weights_are_read_as_tensors_into_monais_network(tmp_path: Path) -> None:
    original = network().eval()
    folder = write_monai(tmp_path / "dark_ct", None)
    torch.save({"model": {f"module.{k}": v for k, v in original.state_dict().items()}}, folder / "models" / "model.pt")
    loaded = load_bundle(folder).load()
    x = torch.rand(1, 1, 32, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(loaded(x), original(x))


def test_torchscript_stands_in_for_a_network_that_cannot_be_built(tmp_path: Path) -> None:
    folder = write_monai(tmp_path / "dark_ct", network(), network_def={"_target_": "scripts.net.Mine"})
    with pytest.raises(BundleError, match=r"has the network scripts\.net\.Mine"):
        load_bundle(folder).load()
    torch.jit.save(script(Darkness()), folder / "models" / "model.ts")
    bundle = load_bundle(folder)
    assert bundle.card.architecture == "torchscript"
    assert bundle.load()(torch.zeros(1, 1, 8, 8, 8)).shape == (1, 2, 8, 8, 8)


def test_our_config_goes_before_what_could_be_derived(tmp_path: Path) -> None:
    folder = write_monai(tmp_path / "dark_ct", network())
    (folder / "config.json").write_text(json.dumps(short_config(spacing=[5, 5, 5])))
    bundle = load_bundle(folder)
    assert (bundle.card.spacing, bundle.card.architecture) == ((5.0, 5.0, 5.0), "monai")
    bundle.load()


def test_monai_bundles_are_listed(tmp_path: Path) -> None:
    write_monai(user_models_folder() / "dark_ct", network())
    assert "dark_ct" in [bundle.card.name for bundle in list_models()]


def test_regions_without_background_are_overlapping_classes(tmp_path: Path) -> None:
    folder = write_monai(
        tmp_path / "regions",
        network(),
        postprocessing={
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "sigmoid": True},
                {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5},
            ],
        },
    )
    metadata, _ = monai_files()
    metadata["network_data_format"]["outputs"]["pred"]["channel_def"] = {"1": "tumour", "0": "organ"}
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    card = load_bundle(folder).card
    assert card.class_names == ("background", "organ", "tumour")
    assert (card.network["activation"], card.network["background"]) == ("sigmoid", False)


def with_step(step: dict[str, Any], *, instead_of: str = "") -> dict[str, Any]:
    """Return a preprocessing with a step more, or in place of another."""
    _, inference = monai_files()
    steps = [each for each in inference["preprocessing"]["transforms"] if each["_target_"] != instead_of]
    return {"preprocessing": {"_target_": "Compose", "transforms": [*steps, step] if step else steps}}


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"_target_": "NormalizeIntensityd", "nonzero": True}, {"kind": "zscore", "nonzero": True}),
        (
            {"_target_": "NormalizeIntensityd", "subtrahend": 50.0, "divisor": 200.0},
            {"kind": "mean_std", "mean": 50.0, "std": 200.0},
        ),
        (
            {"_target_": "ScaleIntensityd", "minv": -1.0},
            {"kind": "percentile", "lower": 0, "upper": 100, "to": [-1.0, 1.0]},
        ),
        (
            {"_target_": "ScaleIntensityRangePercentilesd", "lower": 1, "upper": 99, "b_min": 0, "b_max": 1},
            {"kind": "percentile", "lower": 1, "upper": 99, "to": [0, 1], "clip": False},
        ),
    ],
)
def test_other_intensities_are_understood(tmp_path: Path, step: dict[str, Any], expected: dict[str, Any]) -> None:
    changes = with_step({"keys": "image"} | step, instead_of="ScaleIntensityRanged")
    assert load_bundle(write_monai(tmp_path / "net", network(), **changes)).card.intensity == expected


def test_disabled_and_nested_steps_are_followed(tmp_path: Path) -> None:
    _, inference = monai_files()
    nested = {"_target_": "Compose", "transforms": "@preprocessing#transforms"}
    crop = {"_target_": "CropForegroundd", "_disabled_": True}
    folder = write_monai(tmp_path / "net", network(), steps=inference["preprocessing"]["transforms"])
    config = json.loads((folder / "configs" / "inference.json").read_text())
    config["preprocessing"]["transforms"] = [{**nested, "transforms": "@steps"}, crop]
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    assert load_bundle(folder).card.spacing == (3.0, 2.0, 1.5)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (with_step({"_target_": "CropForegroundd", "keys": "image"}), "by CropForegroundd, which has no counterpart"),
        (with_step({"_target_": "ScaleIntensityd"}), "by ScaleIntensityd, which has no counterpart"),
        (with_step({}, instead_of="Orientationd"), "without Orientationd"),
        (with_step({}, instead_of="ScaleIntensityRanged"), "without a transform of its values"),
        ({"pixdim": "$[1, 1, 1]"}, r"the expression '\$\[1, 1, 1\]', which is never evaluated"),
        ({"pixdim": [1, 1, -1]}, "which has no counterpart"),
        ({"pixdim": "@nowhere#1"}, "'@nowhere#1', which it does not hold"),
        ({"pixdim": "@pixdim"}, "refers to itself"),
        ({"preprocessing": "$import os"}, "never evaluated"),
        ({"network_def": {**NETWORK_DEF, "features": "$[4]"}}, "never evaluated"),
        ({"network_def": {**NETWORK_DEF, "act": {"_target_": "torch.nn.ReLU"}}}, "builds 'torch.nn.ReLU'"),
        ({"network_def": {**NETWORK_DEF, "channels": 3}}, "BasicUNet of MONAI cannot be built"),
        ({"network_def": {"_target_": "FlexibleUNet", "pretrained": True}}, "nothing is downloaded"),
        ({"network_def": {**NETWORK_DEF, "out_channels": 5}}, "do not fit"),
    ],
)
def test_what_cannot_be_derived_is_one_sentence(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        load_bundle(write_monai(tmp_path / "net", network(), **changes)).load()


def test_nothing_of_a_config_is_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    expression = f"$__import__('pathlib').Path({str(trace)!r}).touch()"
    _, inference = monai_files()
    for key in ("imports", "initialize", "image_key", "device", "network"):
        inference[key] = expression
    folder = write_monai(tmp_path / "net", network(), **inference)
    load_bundle(folder).load()
    inference["network_def"]["features"] = expression
    with pytest.raises(BundleError):
        monai_network(write_monai(tmp_path / "net", network(), **inference))
    assert not trace.exists()


class Trap:
    """Would leave a trace if it were unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return (Path.touch, (self.trace,))


@pytest.mark.parametrize("content", ["a pickle", "a checkpoint with code", "a list", "no zip"])
def test_weights_that_are_more_than_tensors_are_never_opened(tmp_path: Path, content: str) -> None:
    folder, trace = write_monai(tmp_path / "net", network()), tmp_path / "ran"
    weights = folder / "models" / "model.pt"
    if content == "a pickle":
        weights.write_bytes(pickle.dumps(Trap(trace)))
    elif content == "no zip":
        weights.write_bytes(b"weights")
    else:
        torch.save({"model": Trap(trace)} if content == "a checkpoint with code" else [1, 2], weights)
    with pytest.raises(BundleError, match=r"plain tensors|no state_dict"):
        load_bundle(folder).load()
    assert not trace.exists()


def test_a_class_of_the_same_name_elsewhere_is_not_monais(tmp_path: Path) -> None:
    for module in ("scripts.nets", "monailabel.nets", "monai.networks.netsx"):
        folder = write_monai(
            tmp_path / "net", network(), network_def={**NETWORK_DEF, "_target_": f"{module}.BasicUNet"}
        )
        with pytest.raises(BundleError, match=f"has the network {module}"):
            load_bundle(folder).load()
    full = {**NETWORK_DEF, "_target_": "monai.networks.nets.basic_unet.BasicUNet"}
    load_bundle(write_monai(tmp_path / "net", network(), network_def=full)).load()


def test_other_kinds_of_bundles_are_refused_by_name(tmp_path: Path) -> None:
    folder = write_monai(tmp_path / "flat", network())
    metadata, _ = monai_files()
    metadata["network_data_format"]["inputs"]["image"]["spatial_shape"] = [64, 64]
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(BundleError, match="is for 2D images"):
        load_bundle(folder)
    folder = write_monai(tmp_path / "yaml", network())
    (folder / "configs" / "inference.json").rename(folder / "configs" / "inference.yaml")
    with pytest.raises(BundleError, match=r"has inference\.yaml; only JSON is read"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["metadata.json", "inference.json"])
@pytest.mark.parametrize("content", ["{", "[]", None])
def test_damaged_configs_are_one_sentence(tmp_path: Path, name: str, content: str | None) -> None:
    folder = write_monai(tmp_path / "net", network())
    path = folder / "configs" / name
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(BundleError, match=r"JSON|object|lacks|not a model bundle"):
        load_bundle(folder)


def test_references_reach_into_lists() -> None:
    config = {"sizes": {"roi": [[1, 2], [3, "@edge"]]}, "edge": 4}
    assert literal(config, "@sizes#roi#1") == [3, 4]
    assert literal(config, {"a": "@sizes::roi::0"}) == {"a": [1, 2]}
