"""2D and 3D U-Net whose halo is known exactly.

Ronneberger et al., *U-Net*, MICCAI 2015 (arXiv 1505.04597); Çiçek et al., *3D U-Net*, MICCAI 2016
(arXiv 1606.06650). With batch normalisation or none it can be tiled exactly; instance and group statistics
differ from tile to tile, so a network that uses them is blended from overlapping windows instead.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from napari_medpatch.errors import BundleError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class UNetConfig:
    """Shape of a U-Net.

    Parameters
    ----------
    dimensions : int
        2 or 3.
    in_channels, num_classes : int
        Input channels and output channels (background included).
    levels : int
        Resolutions, 1…6; each further level halves every axis.
    channels : int
        Feature maps of the finest level; doubled at each level.
    convs : int
        Convolutions per level and side, kernel 3.
    norm : str
        ``"batch"``, ``"none"``, ``"instance"`` or ``"group"`` (eight channels, or all, to a group).
    """

    dimensions: int = 3
    in_channels: int = 1
    num_classes: int = 2
    levels: int = 3
    channels: int = 16
    convs: int = 2
    norm: Literal["batch", "none", "instance", "group"] = "batch"

    def __post_init__(self) -> None:
        if self.dimensions not in (2, 3) or not 1 <= self.levels <= 6 or self.convs < 1 or self.channels < 1:
            raise BundleError(f"No U-Net can be built from {asdict(self)}; check dimensions, levels and convs.")
        if self.norm not in ("batch", "none", "instance", "group"):
            raise BundleError(f"U-Net norm must be 'batch', 'none', 'instance' or 'group', got {self.norm!r}.")

    @property
    def tileable(self) -> bool:
        """Whether a tile with enough margin gives what the whole image gives."""
        return self.norm in ("batch", "none")

    @property
    def multiple(self) -> int:
        """Input edges must be a multiple of this (the total stride of the pools)."""
        return 1 << (self.levels - 1)

    @property
    def receptive_radius(self) -> int:
        """Reach of the convolutions in input pixels, to one side: the sum of ``2**level`` over them."""
        down = sum(1 << level for level in range(self.levels))
        up = sum(1 << level for level in range(self.levels - 1))
        return self.convs * (down + up)

    @property
    def halo(self) -> int:
        """Margin that makes tiled and untiled results equal.

        The convolutions' reach plus ``multiple - 1`` for the pools, whose windows may begin that much
        before the core, rounded up to ``multiple`` so that tile origins stay on the pooling grid.
        """
        reach = self.receptive_radius + self.multiple - 1
        return -(-reach // self.multiple) * self.multiple

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> "UNetConfig":
        """Build from the ``network`` entry of a model card; unknown keys are an error."""
        try:
            return cls(**values)
        except TypeError as error:
            raise BundleError(f"The network description {dict(values)} is not a U-Net's: {error}.") from error


def build_unet(config: UNetConfig) -> "nn.Module":
    """Build the network, randomly initialised, in training mode.

    Parameters
    ----------
    config : UNetConfig
        Its shape.

    Returns
    -------
    torch.nn.Module
        Maps ``(N, in_channels, *spatial)`` float to logits ``(N, num_classes, *spatial)``; spatial edges
        must be multiples of ``config.multiple``.
    """
    from napari_medpatch.models.unet_layers import UNet

    return UNet(config)
