from pathlib import Path

import pytest
import torch
from torch import nn

from napari_medpatch.errors import BundleError
from napari_medpatch.models.weights_file import (
    file_sha256,
    fill,
    mismatch,
    read_shapes,
    read_weights,
    write_weights,
)


class Tied(nn.Module):
    """Two layers that share one matrix, which safetensors does not take as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(3, 3, bias=False)
        self.b = nn.Linear(3, 3, bias=False)
        self.b.weight = self.a.weight


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert file_sha256(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_shapes_are_read_without_the_values(tmp_path: Path) -> None:
    digest = write_weights(tmp_path / "w.safetensors", nn.Linear(3, 5))
    assert digest == file_sha256(tmp_path / "w.safetensors")
    assert read_shapes(tmp_path / "w.safetensors") == {"weight": (5, 3), "bias": (5,)}


def test_tied_and_transposed_weights_are_written(tmp_path: Path) -> None:
    model = Tied()
    model.a.weight.data = torch.arange(9.0).reshape(3, 3).T
    write_weights(tmp_path / "w", model)
    state = read_weights(tmp_path / "w")
    assert torch.equal(state["a.weight"], model.a.weight)
    assert torch.equal(state["b.weight"], model.a.weight)


def test_half_precision_leaves_counters_and_variances(tmp_path: Path) -> None:
    model = nn.BatchNorm1d(2)
    model.running_var.fill_(1e-7)
    model.num_batches_tracked.fill_(70_000)
    write_weights(tmp_path / "w", model, half=True)
    state = read_weights(tmp_path / "w")
    assert state["running_var"].tolist() == pytest.approx([1e-7, 1e-7])
    assert state["num_batches_tracked"] == 70_000
    assert state["weight"].dtype == torch.float32


def test_filling_names_the_first_tensor_that_does_not_fit() -> None:
    model = nn.Linear(3, 2)
    state = {key: value.clone() + 1 for key, value in model.state_dict().items()}
    fill(model, state, "m")
    assert torch.equal(model.weight, state["weight"])
    with pytest.raises(BundleError, match=r"weights of m .*: bias is missing"):
        fill(model, {"weight": state["weight"]}, "m")


@pytest.mark.parametrize(
    ("found", "complaint"),
    [
        ({"a": (2,)}, ""),
        ({}, "a is missing"),
        ({"a": (3,)}, r"a has shape \(3,\) where \(2,\) is needed"),
        ({"a": (2,), "z": (1,), "b": (1,)}, "b is unknown to the architecture"),
    ],
)
def test_mismatches_are_worded(found: dict[str, tuple[int, ...]], complaint: str) -> None:
    import re

    assert re.fullmatch(complaint, mismatch({"a": (2,)}, found))


def test_files_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is missing"):
        read_weights(tmp_path / "none")
    (tmp_path / "text").write_text("these are no weights, only words")
    for read in (read_weights, read_shapes):
        with pytest.raises(BundleError, match="not a readable safetensors"):
            read(tmp_path / "text")
    torch.save({"a": torch.zeros(1)}, tmp_path / "pickle")
    with pytest.raises(BundleError, match="not a readable safetensors"):
        read_weights(tmp_path / "pickle")
