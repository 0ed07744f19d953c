"""WSInfer's side of a bundle, written from its documents: what it accepts and how it runs a model.

The rules are those of ``model-config.schema.json``, spec version 1.0, of wsinfer-zoo, and of the checks and
the inference loop around it (https://github.com/SBU-BMI/wsinfer-zoo, https://github.com/SBU-BMI/wsinfer).
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": [
        "spec_version", "architecture", "num_classes", "patch_size_pixels", "spacing_um_px", "class_names", "transform",
    ],
    "properties": {
        "spec_version": {"type": "string", "enum": ["1.0"]},
        "architecture": {"type": "string"},
        "num_classes": {"type": "integer", "minimum": 1},
        "patch_size_pixels": {"type": "integer", "minimum": 1},
        "spacing_um_px": {"type": "number", "minimum": 0},
        "class_names": {"type": "array", "uniqueItems": True, "items": {"type": "string"}},
        "transform": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string", "enum": ["Resize", "ToTensor", "Normalize"]},
                    "arguments": {"type": "object"},
                },
            },
        },
    },
}  # fmt: skip


def check_config(config: dict[str, Any]) -> None:
    """Raise ``jsonschema.ValidationError`` or ``ValueError`` if WSInfer would refuse it."""
    import jsonschema

    jsonschema.validate(config, SCHEMA, cls=jsonschema.Draft4Validator)
    if len(config["class_names"]) != config["num_classes"]:
        raise ValueError("as many names as classes")


def run_as_wsinfer(folder: Path, patches: np.ndarray) -> np.ndarray:
    """Probabilities ``(N, C)`` of uint8 patches ``(N, Y, X, 3)`` from the two files that WSInfer reads."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    check_config(config)
    model = torch.jit.load(str(folder / "torchscript_model.pt"), map_location="cpu").eval()
    batch = torch.stack([_transformed(Image.fromarray(patch), config["transform"]) for patch in patches])
    with torch.inference_mode():
        logits = model(batch)
    return (logits.softmax(1) if logits.shape[1] > 1 else logits.sigmoid()).numpy()


def run_as_qupath(folder: Path, patches: np.ndarray) -> np.ndarray:
    """The same with softmax of any number of logits."""
    probabilities = run_as_wsinfer(folder, patches)
    return probabilities if probabilities.shape[1] > 1 else np.ones_like(probabilities)


def _transformed(image: Image.Image, steps: list[dict[str, Any]]) -> torch.Tensor:
    """torchvision's transforms by name, with the arguments given."""
    from torchvision import transforms

    value: Any = image
    for step in steps:
        value = getattr(transforms, step["name"])(**step.get("arguments", {}))(value)
    return value
