import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from foreign_folders import Darkness, short_config, write_exported, write_folder

from napari_medpatch.errors import BundleError
from napari_medpatch.models.bundle import load_bundle
from napari_medpatch.models.network_facts import network_facts
from napari_medpatch.models.registry import list_models, resolve_model, user_models_folder
from napari_medpatch.models.weights_file import file_sha256


def test_a_short_config_is_a_card(tmp_path: Path) -> None:
    bundle = load_bundle(write_folder(tmp_path / "dark", Darkness(), spacing=[3, 2, 1.5]))
    card = bundle.card
    assert (card.name, card.architecture, card.task) == ("dark", "torchscript", "segment-3d")
    assert (card.in_channels, card.spacing, card.spacing_unit) == (1, (3.0, 2.0, 1.5), "mm")
    facts = network_facts(card)
    assert (facts.window, facts.overlap, facts.blend, facts.background) == ((16, 16, 16), 0.5, "gaussian", True)


def test_a_long_config_is_one_too(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "dark", Darkness())
    flat = json.loads((folder / "config.json").read_text())
    names = flat.pop("class_names")
    nested = {"class_names": names, "num_classes": len(names), "medpatch": flat | {"in_channels": 1}}
    (folder / "config.json").write_text(json.dumps(nested))
    assert load_bundle(folder).card.intensity["kind"] == "hu_window"


@pytest.mark.parametrize("kind", ["torchscript", "torch.export"])
def test_the_network_loads_and_its_file_is_hashed(tmp_path: Path, kind: str) -> None:
    if kind == "torchscript":
        folder = write_folder(tmp_path / "dark", Darkness())
    else:
        folder = write_exported(tmp_path / "dark", Darkness(), (2, 1, 16, 16, 16))
    bundle = load_bundle(folder)
    assert bundle.card.architecture == kind
    network = bundle.load("cpu")
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert network(torch.zeros(1, 1, 16, 16, 16)).shape == (1, 2, 16, 16, 16)
    assert bundle.foreign is not None
    assert bundle.weights_hash() == file_sha256(bundle.foreign.path)


def test_a_hash_in_the_config_is_held_to(tmp_path: Path) -> None:
    bundle = load_bundle(write_folder(tmp_path / "dark", Darkness(), weights_sha256="0" * 64))
    with pytest.raises(BundleError, match="is not the file whose SHA-256"):
        bundle.load()


def test_an_exported_program_knows_its_shape(tmp_path: Path) -> None:
    network = load_bundle(write_exported(tmp_path / "a", Darkness(), (2, 1, 16, 8, 16))).load()
    assert network.input_shape == (None, 1, 16, 8, 16)


def test_models_from_elsewhere_are_listed_and_found_by_name(tmp_path: Path) -> None:
    write_folder(user_models_folder() / "dark", Darkness())
    assert "dark" in [bundle.card.name for bundle in list_models()]
    assert resolve_model("dark").card.architecture == "torchscript"
    assert resolve_model(tmp_path / write_folder(tmp_path / "other", Darkness())).card.name == "other"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"windw": 3}, "unknown key 'windw'"),
        ({"class_names": ["dark"]}, "first must be 'background'"),
        ({"class_names": "background"}, "a list of different names"),
        ({"class_names": ["background", "a", "a"]}, "a list of different names"),
        ({"num_classes": 5}, "says num_classes 5"),
        ({"task": "segment-4d"}, "unknown task 'segment-4d'"),
        ({"spacing": "1 mm"}, "spacing '1 mm'"),
        ({"spacing": [1, 0, 1]}, "list of positive numbers"),
        ({"network": [96]}, "must be an object"),
        ({"network": {"windw": 96}}, "unknown key 'windw'"),
        ({"network": {"window": [96, 96]}}, "3 whole numbers"),
        ({"network": {"window": 96.5}}, "3 whole numbers"),
        ({"network": {"overlap": 1}}, "overlap 1; it must be a number from 0 to below 1"),
        ({"network": {"blend": "linear"}}, "'gaussian' or 'constant'"),
        ({"network": {"activation": "tanh"}}, "'softmax' or 'sigmoid'"),
        ({"network": {"background": "no"}}, "true or false"),
        ({"network": {"background": False}}, "its activation 'sigmoid'"),
        ({"network": {"priority": ["light"]}}, r"the classes \['dark'\]"),
        ({"network": {"orientation": "XYZ"}}, "orientation 'XYZ'"),
        ({"network": {"orientation": "RA"}}, "orientation 'RA'"),
        ({"task": "segment-2d", "stack": 2}, "odd number of slices"),
        ({"stack": 3}, "both are for segment-2d"),
        ({"task": "segment-2d", "stack": 3, "in_channels": 1}, "as many channels"),
        ({"task": "segment-2d", "slice_axis": 3}, "the axis is 0, 1 or 2"),
        ({"task": "segment-2d", "stack": 3, "stack_spacing": -1}, "stack_spacing -1"),
    ],
)
def test_a_config_that_makes_no_sense_is_one_sentence(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence) as caught:
        load_bundle(write_folder(tmp_path / "dark", Darkness(), **changes))
    assert "dark" in str(caught.value)


@pytest.mark.parametrize("key", ["class_names", "intensity"])
def test_a_config_that_lacks_something_says_what(tmp_path: Path, key: str) -> None:
    folder = write_folder(tmp_path / "dark", Darkness())
    config = short_config()
    del config[key]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BundleError, match=f"lacks {key}"):
        load_bundle(folder)


def test_a_folder_without_a_network_says_which_files_count(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "dark", Darkness())
    (folder / "torchscript_model.pt").unlink()
    with pytest.raises(BundleError, match=r"torchscript_model\.pt, model\.pt2, models/model\.ts, models/model\.pt"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["torchscript_model.pt", "model.pt2"])
@pytest.mark.parametrize("content", [b"", b"not a program", pickle.dumps({"a": 1})])
def test_a_damaged_file_is_one_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    folder = write_folder(tmp_path / "dark", Darkness())
    (folder / "torchscript_model.pt").unlink()
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError, match="is not a readable"):
        load_bundle(folder).load()


class Trap:
    """Would leave a trace if it were unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return (Path.touch, (self.trace,))


def test_pickles_in_an_exported_program_are_never_opened(tmp_path: Path) -> None:
    folder = write_exported(tmp_path / "dark", Darkness(), (1, 1, 16, 16, 16))
    trace = tmp_path / "opened"
    original = folder / "model.pt2"
    with zipfile.ZipFile(original) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    root = next(iter(parts)).partition("/")[0]

    def rewrite(changes: dict[str, bytes]) -> None:
        with zipfile.ZipFile(original, "w") as archive:
            for name, content in (parts | changes).items():
                archive.writestr(name, content)

    buffer = io.BytesIO()
    torch.save((Trap(trace),), buffer)
    weights = f"{root}/data/weights/model_weights_config.json"
    config = json.loads(parts[weights])
    for entry in config["config"].values():
        entry["use_pickle"] = True
    for changes in (
        {f"{root}/data/sample_inputs/model.pt": buffer.getvalue()},
        {weights: json.dumps(config).encode()},
        {f"{root}/data/constants/opaque_obj_0": pickle.dumps(Trap(trace))},
    ):
        rewrite(changes)
        with pytest.raises(BundleError, match=r"pickled objects|no plain tensors"):
            load_bundle(folder).load()
        assert not trace.exists()
