"""The same network, faster: constants folded, channels last, on request in bfloat16."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_medpatch.models.tensor_float import convolve_in_float32

if TYPE_CHECKING:
    import torch
    from torch import nn

_TOLERANCE = 1e-3
_WORTHWHILE = 200_000
"""Weights from which the products outweigh the conversion of the pixels."""
_JIT_ERRORS = (RuntimeError, TypeError, ValueError, AttributeError, AssertionError)
"""What torch raises at networks that it cannot trace or freeze."""


def accelerated(model: "nn.Module", shape: Sequence[int], device: "torch.device") -> "nn.Module":
    """Return a network that gives the same logits in less time.

    Weights are laid out with channels last. TorchScript modules are frozen, which folds batch normalisation
    into the convolutions before it; so are networks in Python that have batch normalisation, after tracing.
    On one AVX2 core that made ResNets a fifth, EfficientNet-B0 a third and MobileNetV2 two fifths faster.

    Parameters
    ----------
    model : torch.nn.Module
        In evaluation mode, on ``device``; its memory layout is changed.
    shape : sequence of int
        ``(C, y, x)`` of its input.
    device : torch.device
        Where it is.

    Returns
    -------
    torch.nn.Module
        ``model`` itself where torch cannot do it, or where the logits of a test input would differ.
    """
    import torch

    generator = torch.Generator().manual_seed(0)
    probe = torch.randn(2, *shape, generator=generator).to(device, memory_format=torch.channels_last)
    try:
        with torch.no_grad():
            model = model.to(memory_format=torch.channels_last)
            frozen = _frozen(model, probe)
            return model if frozen is None or not _agree(model, frozen, probe[:1]) else frozen
    except _JIT_ERRORS:
        return model


def in_bfloat16(model: "nn.Module", shape: Sequence[int], device: "torch.device") -> "nn.Module | None":
    """Return a classifier that computes in bfloat16 and takes and gives float32.

    On a processor with AVX-512 BF16 that made ResNets, DenseNet121, EfficientNet-B0 and MobileNetV2 two to three
    times as fast. The whole network is converted, because autocast leaves TorchScript alone there.

    Parameters
    ----------
    model : torch.nn.Module
        In evaluation mode, on ``device``; it is converted, so load it anew if this returns None.
    shape : sequence of int
        ``(C, y, x)`` of its input.
    device : torch.device
        Where it is.

    Returns
    -------
    torch.nn.Module or None
        None where torch cannot do it, and where the network is too small to gain.
    """
    import torch

    from napari_medpatch.models.speed_layers import HalfNetwork

    if sum(parameter.numel() for parameter in model.parameters()) < _WORTHWHILE:
        return None
    generator = torch.Generator().manual_seed(0)
    probe = torch.randn(2, *shape, generator=generator).to(device, memory_format=torch.channels_last)
    try:
        with torch.no_grad():
            half = model.to(device=device, dtype=torch.bfloat16).to(memory_format=torch.channels_last)
            half = HalfNetwork(_frozen(half, probe.bfloat16()) or half).eval()
            # With another number of patches than the tracer saw.
            works = bool(torch.isfinite(run_steadily(half, probe[:1])).all())
    except _JIT_ERRORS:
        return None
    return half if works else None


def _frozen(model: "nn.Module", probe: "torch.Tensor") -> "nn.Module | None":
    """Fold what is constant; None if there is nothing to gain."""
    import warnings

    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Tracers warn of what the comparison afterwards decides.
        if not isinstance(model, torch.jit.ScriptModule):
            if not any(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in model.modules()):
                return None
            model = _on_its_own(torch.jit.trace(model, probe, check_trace=False), probe.device)  # type: ignore[no-untyped-call]
            convolve_in_float32(model)
        frozen: nn.Module = torch.jit.freeze(model)
    return frozen


def _on_its_own(traced: "nn.Module", device: "torch.device") -> "nn.Module":
    """Return a traced network as it is read from a file.

    Programs that were traced here stay in the process for ever, and with them the weights that freezing makes
    constants of them; those of a file are freed with their module.
    """
    import io

    import torch

    buffer = io.BytesIO()
    torch.jit.save(traced, buffer)
    buffer.seek(0)
    loaded: nn.Module = torch.jit.load(buffer, map_location=device)  # type: ignore[no-untyped-call]
    return loaded


def _agree(model: "nn.Module", frozen: "nn.Module", probe: "torch.Tensor") -> bool:
    """Compare logits of one image; the tracer saw two, so that a fixed batch size shows."""
    import torch

    expected, found = run_steadily(model, probe), run_steadily(frozen, probe)
    if expected.shape != found.shape or not bool(torch.isfinite(expected).all()):
        return False
    scale = max(1.0, float(expected.abs().max()))
    return bool((expected - found).abs().max() <= _TOLERANCE * scale)


def run_steadily(model: "nn.Module", batch: "torch.Tensor") -> "torch.Tensor":
    """Run a network; TorchScript's profiler, which compiles anew for the first batches, stays off."""
    import torch

    with torch.jit.optimized_execution(False):  # type: ignore[attr-defined]
        output: torch.Tensor = model(batch)
    return output
