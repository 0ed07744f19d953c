"""Layers of a network that make their output a few rows at a time, when they are asked; needs torch when imported.

A layer forgets rows that nobody will ask for again. A chunk is always the same rows computed from the same numbers, so
that it comes out the same to the bit wherever the asking began.
"""

from collections.abc import Callable, Generator, Sequence

import torch
import torch.nn.functional as F

from napari_medpatch.geometry import split_axis
from napari_medpatch.infer.convolve_layers import convolve
from napari_medpatch.infer.folded_layers import Kernel

Steps = Generator[float, None, torch.Tensor]
Pieces = Generator[float, None, list[torch.Tensor]]
Read = Callable[[int, int], torch.Tensor]

_LEAST_MACS = 3000
"""Light layers are bound by memory: a position costs as much as some thousand multiplications."""


class _Chunk:
    """Rows that were made at once, in pieces that follow each other."""

    def __init__(self, first: int, pieces: list[torch.Tensor]) -> None:
        self._first = first
        self._pieces = pieces

    def rows(self, start: int, stop: int) -> list[torch.Tensor]:
        """Return what lies between two rows."""
        result, first = [], self._first
        for piece in self._pieces:
            a, b = max(0, start - first), min(piece.shape[2], stop - first)
            if a < b:
                result.append(piece[:, :, a:b])
            first += piece.shape[2]
        return result

    @property
    def count(self) -> int:
        """Rows that are left."""
        return sum(piece.shape[2] for piece in self._pieces)

    def forget(self, row: int) -> bool:
        """Drop pieces that end before ``row``; returns whether any is left."""
        while self._pieces and self._first + self._pieces[0].shape[2] <= row:
            self._first += self._pieces.pop(0).shape[2]
        return bool(self._pieces)


class Layer:
    """Rows of one layer's output.

    Chunks end at ``phase``, ``phase + chunk``, and so on. :meth:`align` chooses the phases such that the rows a
    chunk needs of the layer before end where a chunk of that one ends: no layer runs ahead of the next by more
    than its kernel's reach.

    Parameters
    ----------
    size : int
        Rows there are.
    chunk : int
        Rows made at a time.
    """

    def __init__(self, size: int, chunk: int) -> None:
        self.size = size
        self.chunk = max(1, min(size, chunk))
        self.phase = 0
        self._chunks: dict[int, _Chunk] = {}
        self._needed: list[int] = []

    def reader(self) -> int:
        """Return the number of one more reader."""
        self._needed.append(0)
        return len(self._needed) - 1

    def align(self, row: int) -> None:
        """Let chunks end at ``row``, and those of the layers before accordingly."""
        self.phase = row % self.chunk

    def rows(self, reader: int, start: int, stop: int, then: int) -> Pieces:
        """Make rows.

        Parameters
        ----------
        reader : int
            Who asks.
        start, stop : int
            Which rows.
        then : int
            No later question of this reader begins before this row.

        Returns
        -------
        list of Tensor
            ``(N, C, rows, ...)`` each, together the rows asked for.
        """
        pieces: list[torch.Tensor] = []
        for index in range(self._index(start), self._index(stop - 1) + 1):
            first, last = self._bounds(index)
            if index not in self._chunks:
                self._chunks[index] = _Chunk(first, (yield from self._make(first, last)))
            pieces += self._chunks[index].rows(start, stop)
        self._needed[reader] = then
        needed = min(self._needed)
        self._chunks = {index: chunk for index, chunk in self._chunks.items() if chunk.forget(needed)}
        return pieces

    def held(self) -> int:
        """Return how many rows are kept for later questions."""
        return sum(chunk.count for chunk in self._chunks.values())

    def _index(self, row: int) -> int:
        return (row - self.phase) // self.chunk

    def _bounds(self, index: int) -> tuple[int, int]:
        first = self.phase + index * self.chunk
        return max(0, first), min(self.size, first + self.chunk)

    def _make(self, start: int, stop: int) -> Pieces:
        raise NotImplementedError


class Input(Layer):
    """The network's input.

    Parameters
    ----------
    read : callable
        ``read(start, stop)`` returns ``(N, C, rows, ...)``.
    size, chunk : int
        As :class:`Layer`.
    """

    def __init__(self, read: Read, size: int, chunk: int) -> None:
        super().__init__(size, chunk)
        self._read = read

    def _make(self, start: int, stop: int) -> Pieces:
        yield 0.0
        return [self._read(start, stop)]


class Convolution(Layer):
    """Kernel 3 or 1, zero padding, then ReLU if asked for.

    Parameters
    ----------
    inputs : sequence of Layer
        Concatenated along channels.
    kernel : Kernel
        Weights.
    chunk : int
        As :class:`Layer`.
    macs : float
        Multiplications that one step may take.
    relu : bool
        Whether a ReLU follows.
    """

    def __init__(self, inputs: Sequence[Layer], kernel: Kernel, chunk: int, macs: float, *, relu: bool = True) -> None:
        super().__init__(inputs[0].size, chunk)
        self._inputs = [(layer, layer.reader()) for layer in inputs]
        self._kernel = kernel
        self._margin = kernel.weight.shape[2] // 2
        self._macs = macs
        self._relu = relu

    def align(self, row: int) -> None:
        """See :class:`Layer`; the last input is the one that is not aligned otherwise."""
        super().align(row)
        self._inputs[-1][0].align(row + self._margin)

    def _make(self, start: int, stop: int) -> Pieces:
        margin = self._margin
        lo, hi = max(0, start - margin), min(self.size, stop + margin)
        parts = []
        for layer, reader in self._inputs:
            parts.append((yield from layer.rows(reader, lo, hi, max(0, stop - margin))))
        x = _together(parts, lo - (start - margin), stop + margin - hi)
        plane = x.shape[0] * x[0, 0, 0].numel()
        rows = max(1, int(self._macs / (plane * max(self._kernel.numel, _LEAST_MACS))))
        pieces = []
        for a, b in split_axis(stop - start, rows):
            piece = convolve(x[:, :, a : b + 2 * margin], self._kernel, margin)
            pieces.append(piece.relu_() if self._relu else piece)
            yield float(self._kernel.numel) * plane * (b - a)
        return pieces


class Pool(Layer):
    """Largest of two along each axis."""

    def __init__(self, source: Layer, chunk: int) -> None:
        super().__init__(source.size // 2, chunk)
        self._source = source
        self._reader = source.reader()

    def align(self, row: int) -> None:
        """See :class:`Layer`."""
        super().align(row)
        self._source.align(2 * row)

    def _make(self, start: int, stop: int) -> Pieces:
        x = _joined((yield from self._source.rows(self._reader, 2 * start, 2 * stop, 2 * stop)))
        yield 0.0
        return [F.max_pool3d(x, 2) if x.ndim == 5 else F.max_pool2d(x, 2)]


class Upsample(Layer):
    """Transposed convolution, kernel 2, stride 2."""

    def __init__(self, source: Layer, kernel: Kernel, chunk: int) -> None:
        super().__init__(source.size * 2, chunk)
        self._source = source
        self._reader = source.reader()
        self._kernel = kernel

    def align(self, row: int) -> None:
        """See :class:`Layer`; both rows that come from one are made at once."""
        super().align(row + row % 2)
        self._source.align((row + 1) // 2)

    def _make(self, start: int, stop: int) -> Pieces:
        lo, hi = start // 2, -(-stop // 2)
        x = _joined((yield from self._source.rows(self._reader, lo, hi, stop // 2)))
        up = F.conv_transpose3d if x.ndim == 5 else F.conv_transpose2d
        result = up(x, self._kernel.weight, self._kernel.bias, stride=2)
        yield float(self._kernel.numel) * x.shape[0] * x[0, 0].numel()
        return [result[:, :, start - 2 * lo : stop - 2 * lo]]


def _joined(pieces: Sequence[torch.Tensor]) -> torch.Tensor:
    return pieces[0] if len(pieces) == 1 else _together([pieces], 0, 0)


def _together(parts: Sequence[Sequence[torch.Tensor]], above: int, below: int) -> torch.Tensor:
    """Join pieces along rows and parts along channels in one copy, with rows of zeros above and below."""
    first = parts[0][0]
    rows = above + sum(piece.shape[2] for piece in parts[0]) + below
    channels = sum(pieces[0].shape[1] for pieces in parts)
    layout = torch.channels_last_3d if first.ndim == 5 else torch.channels_last
    shape = (first.shape[0], channels, rows, *first.shape[3:])
    result = torch.empty(shape, dtype=first.dtype, device=first.device, memory_format=layout)
    result[:, :, :above].zero_()
    result[:, :, rows - below :].zero_()
    channel = 0
    for pieces in parts:
        row = above
        for piece in pieces:
            result[:, channel : channel + piece.shape[1], row : row + piece.shape[2]] = piece
            row += piece.shape[2]
        channel += pieces[0].shape[1]
    return result
