"""The layers of the U-Net; kept apart because this module needs torch when it is imported."""

from itertools import pairwise

import torch
from torch import nn

from napari_medpatch.models.unet import UNetConfig


class UNet(nn.Module):
    """Encoder and decoder with skip connections; see :class:`UNetConfig`.

    Parameters
    ----------
    config : UNetConfig
        Its shape.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.channels * 2**level for level in range(config.levels)]
        self.encoder = nn.ModuleList(
            _stage(config, before, after)
            for before, after in zip([config.in_channels, *widths[:-1]], widths, strict=True)
        )
        self.upsample = nn.ModuleList(
            _transposed(config)(wide, narrow, kernel_size=2, stride=2) for narrow, wide in pairwise(widths)
        )
        self.decoder = nn.ModuleList(_stage(config, 2 * width, width) for width in widths[:-1])
        self.head = _conv(config)(widths[0], config.num_classes, kernel_size=1)
        self.pool = nn.MaxPool3d(2) if config.dimensions == 3 else nn.MaxPool2d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits ``(N, num_classes, *spatial)`` for ``(N, in_channels, *spatial)``."""
        skips = []
        for stage in self.encoder[:-1]:
            x = stage(x)
            skips.append(x)
            x = self.pool(x)
        x = self.encoder[-1](x)
        for up, stage, skip in zip(reversed(self.upsample), reversed(self.decoder), reversed(skips), strict=True):
            x = stage(torch.cat([skip, up(x)], dim=1))
        logits: torch.Tensor = self.head(x)
        return logits


def _conv(config: UNetConfig) -> type[nn.Conv2d] | type[nn.Conv3d]:
    return nn.Conv3d if config.dimensions == 3 else nn.Conv2d


def _transposed(config: UNetConfig) -> type[nn.ConvTranspose2d] | type[nn.ConvTranspose3d]:
    return nn.ConvTranspose3d if config.dimensions == 3 else nn.ConvTranspose2d


def _stage(config: UNetConfig, before: int, after: int) -> nn.Sequential:
    """Return ``convs`` times convolution, normalisation, ReLU."""
    layers: list[nn.Module] = []
    for index in range(config.convs):
        width = before if index == 0 else after
        layers.append(_conv(config)(width, after, kernel_size=3, padding=1, bias=config.norm == "none"))
        if config.norm != "none":
            layers.append(_norm(config, after))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def _norm(config: UNetConfig, width: int) -> nn.Module:
    if config.norm == "group":
        return nn.GroupNorm(width // 8 if width % 8 == 0 else 1, width)
    if config.norm == "instance":
        return (nn.InstanceNorm3d if config.dimensions == 3 else nn.InstanceNorm2d)(width, affine=True)
    return nn.BatchNorm3d(width) if config.dimensions == 3 else nn.BatchNorm2d(width)
