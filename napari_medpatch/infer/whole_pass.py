"""One uninterruptible pass through a network, waited for in steps."""

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from napari_medpatch.infer.precision import Precision, autocast, exact_convolutions
from napari_medpatch.patience import patiently

if TYPE_CHECKING:
    import torch


def whole_pass(
    network: Callable[["torch.Tensor"], Any], batch: "torch.Tensor", precision: Precision
) -> Generator[None, None, Any]:
    """Run a network on a batch in a thread and yield until it is done; closing abandons the pass.

    Parameters
    ----------
    network : callable
        In evaluation mode.
    batch : Tensor
        On the network's device.
    precision : str
        ``"float32"`` or ``"bfloat16"``.
    """
    return (yield from patiently(_run, network, batch, precision))


def _run(network: Callable[["torch.Tensor"], Any], batch: "torch.Tensor", precision: Precision) -> Any:
    """Enter torch's contexts here: they belong to a thread."""
    import torch

    with torch.inference_mode(), exact_convolutions(precision), autocast(batch.device, precision):
        result = network(batch)
        if batch.device.type == "cuda":
            # Errors such as running out of memory belong to this pass, not to a later one.
            torch.cuda.synchronize(batch.device)
        return result
