"""Write pyramidal TIFF files whose tiles share bytes: a slide of any size in a few megabytes.

A TIFF's tile offsets may point at the same place many times. Readers decode every tile as if it were its own,
so such a file costs as much to read as a real one.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_SHORT, _LONG, _RATIONAL, _ASCII, _LONG8 = 3, 4, 5, 2, 16
_FORMATS = {_SHORT: "H", _LONG: "I", _RATIONAL: "I", _LONG8: "Q", _ASCII: "s"}
_JPEG, _YCBCR, _CENTIMETRE = 7, 6, 3


@dataclass(frozen=True, slots=True)
class SharedLevel:
    """One page of such a file.

    Parameters
    ----------
    shape : (Y, X)
        Pixels.
    ids : (rows, columns) int64
        Which of the pictures lies where.
    pictures : sequence of bytes
        Complete JPEG streams (YCbCr 4:2:0), each of ``tile`` × ``tile`` pixels.
    mpp : float
        µm per pixel, written as resolution tags.
    """

    shape: tuple[int, int]
    ids: NDArray[np.int64]
    pictures: tuple[bytes, ...]
    mpp: float


def write_shared_tiff(path: Path, levels: Iterable[SharedLevel], tile: int, description: str) -> None:
    """Write a BigTIFF, one page per level; each picture is stored once.

    Parameters
    ----------
    path : Path
        New file.
    levels : iterable of SharedLevel
        Finest first; taken one at a time.
    tile : int
        Side of a tile, a multiple of 16.
    description : str
        ``ImageDescription`` of the first page.
    """
    with path.open("wb") as file:
        file.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0))
        link = 8  # where the position of the next directory belongs
        for index, level in enumerate(levels):
            entries = _entries(level, *_stored(file, level), tile, index)
            if index == 0:
                entries[270] = (_ASCII, description.encode("ascii") + b"\0")
            link = _directory(file, entries, link)


def _stored(file: BufferedWriter, level: SharedLevel) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """Append the pictures; returns the offset and the length of every tile's bytes."""
    offsets = np.zeros(len(level.pictures), np.uint64)
    for index, data in enumerate(level.pictures):
        offsets[index] = file.tell()
        file.write(data)
    lengths = np.array([len(data) for data in level.pictures], np.uint32)
    return offsets[level.ids.ravel()], lengths[level.ids.ravel()]


def _entries(
    level: SharedLevel, offsets: NDArray[np.uint64], lengths: NDArray[np.uint32], tile: int, index: int
) -> dict[int, tuple[int, object]]:
    """Return the tags of a page: code to type and value."""
    height, width = level.shape
    per_centimetre = (round(1e8 / level.mpp), 10_000)
    return {
        254: (_LONG, [1 if index else 0]),
        256: (_LONG, [width]),
        257: (_LONG, [height]),
        258: (_SHORT, [8, 8, 8]),
        259: (_SHORT, [_JPEG]),
        262: (_SHORT, [_YCBCR]),
        277: (_SHORT, [3]),
        282: (_RATIONAL, per_centimetre),
        283: (_RATIONAL, per_centimetre),
        284: (_SHORT, [1]),
        296: (_SHORT, [_CENTIMETRE]),
        322: (_LONG, [tile]),
        323: (_LONG, [tile]),
        324: (_LONG8, offsets),
        325: (_LONG, lengths),
        530: (_SHORT, [2, 2]),
    }


def _directory(file: BufferedWriter, entries: dict[int, tuple[int, object]], link: int) -> int:
    """Append a directory and link it from ``link``; returns where the next one's position belongs."""
    packed = []
    for code in sorted(entries):
        kind, value = entries[code]
        data = value if isinstance(value, bytes) else np.asarray(value, f"<{_dtype(kind)}").tobytes()
        count = len(data) // struct.calcsize(_FORMATS[kind]) // (2 if kind == _RATIONAL else 1)
        if len(data) > 8:
            position = _append(file, data)
            data = struct.pack("<Q", position)
        packed.append(struct.pack("<HHQ8s", code, kind, count, data))
    start = _append(file, struct.pack("<Q", len(packed)) + b"".join(packed) + bytes(8))
    end = file.tell()
    file.seek(link)
    file.write(struct.pack("<Q", start))
    file.seek(end)
    return end - 8


def _append(file: BufferedWriter, data: bytes) -> int:
    """Write data at an even position and return it."""
    if file.tell() % 2:
        file.write(b"\0")
    position = file.tell()
    file.write(data)
    return position


def _dtype(kind: int) -> str:
    return {_SHORT: "u2", _LONG: "u4", _RATIONAL: "u4", _LONG8: "u8"}[kind]
