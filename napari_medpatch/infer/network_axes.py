"""Between the array's axes and those of a network from elsewhere."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_medpatch.models.axes import axis_moves, own_axes
from napari_medpatch.models.network_facts import NetworkFacts

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class NetworkAxes:
    """How spatial axes are ordered and reversed for a network.

    Parameters
    ----------
    order : tuple of int
        For each axis of the network, which of the array's it is.
    flipped : tuple of bool
        For each axis of the array, whether the network counts it from the end.
    channels_last : bool
        Whether the network has its channels last.
    """

    order: tuple[int, ...]
    flipped: tuple[bool, ...]
    channels_last: bool = False

    @classmethod
    def of(cls, facts: NetworkFacts, dimensions: int, slice_axis: int | None) -> "NetworkAxes":
        """Return the axes of a network; array axes are those that it sees, without the axis of slices."""
        order, flipped = tuple(range(dimensions)), (False,) * dimensions
        if facts.orientation is not None:
            order, flipped = axis_moves(own_axes(slice_axis), facts.orientation)
        return cls(order, flipped, facts.layout == "channels_last")

    def to_network(self, batch: "torch.Tensor") -> "torch.Tensor":
        """Return ``(N, C, *array)`` as the network wants it."""
        turned = batch.flip([axis + 2 for axis, flip in enumerate(self.flipped) if flip])
        turned = turned.permute(0, 1, *(axis + 2 for axis in self.order))
        return turned.movedim(1, -1) if self.channels_last else turned

    def to_array(self, outputs: "torch.Tensor") -> "torch.Tensor":
        """Return the network's outputs as ``(N, K, *array)``."""
        turned = outputs.movedim(-1, 1) if self.channels_last else outputs
        inverse = sorted(range(len(self.order)), key=lambda axis: self.order[axis])
        turned = turned.permute(0, 1, *(axis + 2 for axis in inverse))
        return turned.flip([axis + 2 for axis, flip in enumerate(self.flipped) if flip])
