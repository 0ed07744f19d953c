"""A U-Net that sweeps over an image of any length, in steps that can be stopped."""

import math
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

from napari_medpatch.infer.runner import FloatArray

if TYPE_CHECKING:
    import torch

    from napari_medpatch.infer.folded_layers import FoldedUNet


class NetworkStream:
    """One sweep along the first axis.

    Parameters
    ----------
    weights : FoldedUNet
        The network; its dtype is that of the maps.
    read : callable
        ``read(start, stop)`` returns network input ``(C, rows, *plane)`` float32.
    size : int
        Rows of the canvas, a multiple of the network's.
    plane : sequence of int
        The canvas's other axes, multiples of the network's.
    chunk : int
        Rows that a layer makes at a time.
    macs : float
        Multiplications that one step may take.
    """

    def __init__(
        self,
        weights: "FoldedUNet",
        read: Callable[[int, int], FloatArray],
        size: int,
        plane: Sequence[int],
        *,
        chunk: int,
        macs: float,
    ) -> None:
        import torch

        from napari_medpatch.infer.stream_layers import UNetStream

        dtype = weights.head.weight.dtype

        def rows(start: int, stop: int) -> "torch.Tensor":
            return torch.from_numpy(read(start, stop))[None].to(dtype)

        self._stream = UNetStream(weights, rows, size, plane, chunk=chunk, macs=macs)
        self._per_row = weights.per_position(1 + len(plane)) * math.prod(plane)

    def rows(self, start: int, stop: int, then: int) -> Generator[float, None, "torch.Tensor"]:
        """Yield the share done; return logits ``(K, stop - start, *plane)`` float32.

        No later question begins before the row ``then``.
        """
        import torch

        steps = self._stream.rows(start, stop, then)
        total, done = self._per_row * (stop - start), 0.0
        while True:
            # Entered anew for each step: a context held over a yield would leak into whoever iterates.
            with torch.inference_mode():
                try:
                    done += next(steps)
                except StopIteration as end:
                    logits: torch.Tensor = end.value[0]
                    return logits
            # The first rows of a sweep take the layers below along, so this stands at the end for a while.
            yield min(1.0, done / total)
