"""A U-Net's forward pass as a stream of rows along the first spatial axis; needs torch when it is imported.

Each layer makes its output in chunks of a few rows, when the layer after it asks for them, and forgets rows that
nobody will ask for again. So a volume of any length is computed in one sweep: nothing is computed twice,
as it is where blocks overlap by the network's reach, and memory holds some dozen rows per level. A chunk is
always the same rows computed from the same numbers, so a sweep that begins in the middle gives the same bits.
"""

from collections.abc import Sequence

import torch

from napari_medpatch.infer.folded_layers import FoldedUNet, Kernel
from napari_medpatch.infer.row_layers import Convolution, Input, Layer, Pool, Read, Steps, Upsample


class UNetStream:
    """One sweep of a U-Net over a canvas.

    Parameters
    ----------
    weights : FoldedUNet
        The network.
    read : callable
        ``read(start, stop)`` returns those rows of the input, ``(N, C, rows, *plane)``, in the weights' dtype.
    size : int
        Rows of the canvas, a multiple of the network's.
    plane : sequence of int
        The canvas's other axes, multiples of the network's.
    chunk : int
        Rows of the finest level that a layer makes at a time, a power of two.
    macs : float
        Multiplications that one step may take.
    """

    def __init__(
        self, weights: FoldedUNet, read: Read, size: int, plane: Sequence[int], *, chunk: int, macs: float
    ) -> None:
        self._macs = macs
        layer: Layer = Input(read, size, chunk)
        skips: list[Layer] = []
        for level, stage in enumerate(weights.encoder):
            if level:
                layer = Pool(layer, chunk >> level)
            layer = self._stage([layer], stage, chunk >> level)
            skips.append(layer)
        self._skips = skips
        skips = skips[:-1]
        for level in reversed(range(len(weights.decoder))):
            wide = Upsample(layer, weights.upsample[level], chunk >> level)
            layer = self._stage([skips[level], wide], weights.decoder[level], chunk >> level)
        self._logits = Convolution([layer], weights.head, chunk, macs, relu=False)
        self._reader = self._logits.reader()
        self._logits.align(0)

    def rows(self, start: int, stop: int, then: int | None = None) -> Steps:
        """Compute logits of some rows.

        Parameters
        ----------
        start, stop : int
            Rows of the canvas; never before the last ``then``.
        then : int, optional
            No later question begins before this row, ``stop`` by default.

        Yields
        ------
        float
            Multiplications done by the step.

        Returns
        -------
        Tensor
            ``(N, K, stop - start, *plane)`` float32.
        """
        pieces = yield from self._logits.rows(self._reader, start, stop, stop if then is None else then)
        return torch.cat([piece.float() for piece in pieces], dim=2)

    def rows_held(self) -> int:
        """Return how many rows wait in the skip connections."""
        return sum(layer.held() for layer in self._skips)

    def _stage(self, inputs: Sequence[Layer], kernels: Sequence[Kernel], chunk: int) -> Layer:
        for kernel in kernels:
            inputs = [Convolution(inputs, kernel, chunk, self._macs)]
        return inputs[0]
