"""A U-Net's forward pass in small steps; needs torch when it is imported.

On a processor one convolution of a whole volume takes seconds, during which nobody could stop the job.
Here each convolution runs over slabs of the first spatial axis with a margin of one voxel, so that a step
takes a fraction of a second and memory holds the maps but no temporary copies of them. The result equals
``UNet.forward``'s to rounding.
"""

from collections.abc import Generator, Iterator

import torch
from torch import nn

from napari_medpatch.geometry import split_axis
from napari_medpatch.models.unet_layers import UNet

_LEAST_MACS = 3000
Steps = Generator[float, None, torch.Tensor]


def unet_steps(model: UNet, x: torch.Tensor, macs: float) -> Steps:
    """Run a U-Net in evaluation mode.

    Parameters
    ----------
    model : UNet
        In evaluation mode.
    x : Tensor
        ``(N, C, *spatial)``, edges multiples of ``model.config.multiple``.
    macs : float
        Multiplications that one step may take.

    Yields
    ------
    float
        Multiplications done by the step.

    Returns
    -------
    Tensor
        Logits ``(N, num_classes, *spatial)``.
    """
    skips: list[torch.Tensor] = []
    for stage in model.encoder[:-1]:
        x = yield from _stage(stage, (x,), macs)
        skips.append(x)
        x = model.pool(x)
    x = yield from _stage(model.encoder[-1], (x,), macs)
    for up, stage in zip(reversed(model.upsample), reversed(model.decoder), strict=True):
        x = yield from _unit(up, (x,), macs, margin=0, scale=2)
        x = yield from _stage(stage, (skips.pop(), x), macs)
    return (yield from _unit(model.head, (x,), macs, margin=0))


def _stage(stage: nn.Module, inputs: tuple[torch.Tensor, ...], macs: float) -> Steps:
    """Run convolution, normalisation, ReLU, as often as the stage has them."""
    for unit in _units(stage):
        inputs = ((yield from _unit(unit, inputs, macs, margin=1)),)
    return inputs[0]


def _units(stage: nn.Module) -> Iterator[nn.Sequential]:
    """Group a stage's layers so that each group begins with its convolution."""
    group: list[nn.Module] = []
    for layer in stage.children():
        if isinstance(layer, nn.Conv2d | nn.Conv3d) and group:
            yield nn.Sequential(*group)
            group = []
        group.append(layer)
    yield nn.Sequential(*group)


def _unit(layers: nn.Module, inputs: tuple[torch.Tensor, ...], macs: float, *, margin: int, scale: int = 1) -> Steps:
    """Run layers over slabs of the concatenated inputs; what a slab's margin gets wrong is cut off."""
    size = inputs[0].shape[2]
    work = _multiplications(layers, inputs[0])
    # Light layers are bound by memory: a voxel costs as much as some thousand multiplications.
    rows = max(1, int(macs * size / max(work, _LEAST_MACS * inputs[0].shape[0] * inputs[0][0, 0].numel())))
    result: torch.Tensor | None = None
    for start, stop in split_axis(size, rows):
        lo, hi = max(0, start - margin), min(size, stop + margin)
        slab = layers(torch.cat([x[:, :, lo:hi] for x in inputs], dim=1) if len(inputs) > 1 else inputs[0][:, :, lo:hi])
        slab = slab[:, :, (start - lo) * scale : (stop - lo) * scale]
        if rows >= size:
            result = slab
        else:
            result = result if result is not None else _room(slab, size * scale)
            result[:, :, start * scale : stop * scale] = slab
        yield work * (stop - start) / size
    if result is None:
        raise ValueError("a network's input has no voxels")
    return result


def _room(slab: torch.Tensor, size: int) -> torch.Tensor:
    """Return an uninitialised tensor like ``slab`` but ``size`` long, channels last as the slab is."""
    shape = (*slab.shape[:2], size, *slab.shape[3:])
    layout = torch.channels_last_3d if slab.ndim == 5 else torch.channels_last
    return torch.empty(shape, dtype=slab.dtype, device=slab.device, memory_format=layout)


def _multiplications(layers: nn.Module, x: torch.Tensor) -> float:
    weights = sum(p.numel() for p in layers.parameters() if p.ndim > 1)
    return float(weights) * x.shape[0] * x[0, 0].numel()
