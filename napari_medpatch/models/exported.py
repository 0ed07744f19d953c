"""Programs of ``torch.export``: ``model.pt2``."""

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_medpatch.errors import BundleError

if TYPE_CHECKING:
    import torch
    from torch import nn

_PICKLED = ("opaque_obj", "custom_obj")


def load_exported(path: Path, device: "str | torch.device") -> "nn.Module":
    """Load a ``.pt2`` file to a device.

    Parameters
    ----------
    path : Path
        As ``torch.export.save`` of PyTorch 2.8 or later writes it. Parts that only unpickling could read are
        refused.
    device : str or torch.device
        Where to put it.

    Returns
    -------
    torch.nn.Module
        With the attribute ``input_shape``: a number per dimension that the program fixes, None where it is free.

    Raises
    ------
    BundleError
        If the file is damaged, of an old format, holds pickled objects, or takes several inputs.
    """
    import torch
    from torch.export.passes import move_to_device_pass

    _refuse_pickles(path)
    try:
        program = torch.export.load(path)
        program = move_to_device_pass(program, torch.device(device))
        shapes = _input_shapes(program)
        module: nn.Module = program.module()
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        raise BundleError(f"{path} is not a readable torch.export file ({_first_line(error)}); export it again.") from (
            error
        )
    if len(shapes) != 1:
        raise BundleError(f"{path} takes {len(shapes)} inputs; a segmentation network takes one, the image.")
    module.input_shape = shapes[0]  # type: ignore[assignment]
    return module


def _input_shapes(program: Any) -> list[tuple[int | None, ...]]:
    """Return the shape of each input; None where any size goes."""
    wanted = set(program.graph_signature.user_inputs)
    nodes = [node for node in program.graph.nodes if node.op == "placeholder" and node.name in wanted]
    values = [node.meta["val"] for node in nodes]
    return [tuple(size if isinstance(size, int) else None for size in value.shape) for value in values]


def _refuse_pickles(path: Path) -> None:
    """Refuse what ``torch.export.load`` would unpickle: pickled tensors, objects, and the old format."""
    import io

    import torch

    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            configs = [
                json.loads(archive.read(n)) for n in names if n.endswith(("weights_config.json", "s_config.json"))
            ]
            samples = [archive.read(n) for n in names if "/sample_inputs/" in n and n.endswith(".pt")]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} is not a readable torch.export file ({error}); export it again.") from error
    entries = [entry for config in configs for entry in config.get("config", {}).values()]
    pickled = any(e.get("use_pickle") or str(e.get("path_name")).startswith(_PICKLED) for e in entries)
    if not configs or pickled or any(name.rpartition("/")[2].startswith(_PICKLED) for name in names):
        raise BundleError(
            f"{path} holds pickled objects, which are never opened; export plain tensors with torch.export.save of "
            "PyTorch 2.8 or later."
        )
    try:
        for sample in samples:
            if sample:
                torch.load(io.BytesIO(sample), weights_only=True)
    except Exception as error:
        raise BundleError(f"{path} holds example inputs that are no plain tensors; export it again.") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")[:200]
