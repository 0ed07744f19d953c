"""Folders of segmentation networks as other people publish them, for the tests."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

HU = {"kind": "hu_window", "low": -1000, "high": 400}


class Darkness(torch.nn.Module):
    """Calls what is darker than ``below`` foreground; looks one voxel far, so that windows do not matter."""

    def __init__(self, below: float = 0.25, classes: int = 2, ndim: int = 3) -> None:
        super().__init__()
        conv = torch.nn.Conv3d if ndim == 3 else torch.nn.Conv2d
        self.head = conv(1, classes, 1)
        with torch.no_grad():
            self.head.weight.zero_()
            self.head.bias.zero_()
            self.head.weight[1] = -20
            self.head.bias[1] = 20 * below
            self.head.bias[2:] = -30

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x)


def script(network: torch.nn.Module) -> Any:
    """Script a network as its authors would."""
    return torch.jit.script(network.eval())


def short_config(**changes: Any) -> dict[str, Any]:
    """A short ``config.json`` of a CT model."""
    return {
        "task": "segment-3d",
        "class_names": ["background", "dark"],
        "intensity": HU,
        "network": {"window": [16, 16, 16]},
    } | changes


def write_folder(folder: Path, module: torch.nn.Module, **changes: Any) -> Path:
    """Write ``config.json`` and ``torchscript_model.pt``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(short_config(**changes)))
    torch.jit.save(script(module), folder / "torchscript_model.pt")
    return folder


def write_exported(folder: Path, module: torch.nn.Module, example: Sequence[int], **changes: Any) -> Path:
    """Write ``config.json`` and ``model.pt2``; the program is free in its batch only."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(short_config(**changes)))
    free = ({0: torch.export.Dim("n", min=1, max=64)},) if example[0] > 1 else None
    program = torch.export.export(module.eval(), (torch.zeros(*example),), dynamic_shapes=free)
    torch.export.save(program, folder / "model.pt2")
    return folder


NETWORK_DEF = {
    "_target_": "BasicUNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "features": [4, 4, 8, 8, 16, 4],
}  # fmt: skip


def monai_files(**changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metadata and inference config of a bundle as MONAI's zoo has them."""
    metadata = {
        "version": "0.1.0",
        "task": "Dark things in CT",
        "authors": "nobody",
        "copyright": "CC0",
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "image", "format": "hounsfield", "modality": "CT", "num_channels": 1,
                    "spatial_shape": [32, 32, 32], "dtype": "float32", "value_range": [0, 1], "is_patch_data": True,
                    "channel_def": {"0": "image"},
                }
            },
            "outputs": {
                "pred": {
                    "type": "image", "format": "segmentation", "num_channels": 2, "spatial_shape": [32, 32, 32],
                    "dtype": "float32", "value_range": [0, 1], "is_patch_data": True,
                    "channel_def": {"0": "background", "1": "dark"},
                }
            },
        },
    }  # fmt: skip
    inference: dict[str, Any] = {
        "imports": ["$import glob"],
        "image_key": "image",
        "pixdim": [1.5, 2.0, 3.0],
        "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
        "network_def": dict(NETWORK_DEF),
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "LoadImaged", "keys": "@image_key"},
                {"_target_": "EnsureChannelFirstd", "keys": "@image_key"},
                {"_target_": "Orientationd", "keys": "@image_key", "axcodes": "RAS"},
                {"_target_": "Spacingd", "keys": "@image_key", "pixdim": "@pixdim", "mode": "bilinear"},
                {"_target_": "ScaleIntensityRanged", "keys": "@image_key", "a_min": -1000, "a_max": 400,
                 "b_min": 0, "b_max": 1, "clip": True},
                {"_target_": "EnsureTyped", "keys": "@image_key"},
            ],
        },
        "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [32, 16, 48], "sw_batch_size": 4, "overlap": 0.5,
                    "mode": "gaussian"},
        "postprocessing": {
            "_target_": "Compose",
            "transforms": [
                {"_target_": "Activationsd", "keys": "pred", "softmax": True},
                {"_target_": "Invertd", "keys": "pred", "transform": "@preprocessing", "orig_keys": "@image_key"},
                {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
            ],
        },
    }  # fmt: skip
    return metadata, inference | changes


def write_monai(folder: Path, module: torch.nn.Module | None, **changes: Any) -> Path:
    """Write a MONAI bundle; ``module`` gives ``models/model.pt``."""
    metadata, inference = monai_files(**changes)
    for name in ("configs", "models"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "configs" / "metadata.json").write_text(json.dumps(metadata))
    (folder / "configs" / "inference.json").write_text(json.dumps(inference))
    if module is not None:
        torch.save(module.state_dict(), folder / "models" / "model.pt")
    return folder
