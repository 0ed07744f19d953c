"""What volumes have beside what all sources have."""

from typing import Protocol, cast

from napari_medpatch.io.source import AnyArray, Source
from napari_medpatch.io.volume_grid import VolumeGrid


class Volume(Source, Protocol):
    """A source of the kind ``"volume"``; such as :class:`napari_medpatch.io.memory.MemorySource`."""

    @property
    def data(self) -> AnyArray:
        """All values, ``(Z, Y, X)``."""

    @property
    def grid(self) -> VolumeGrid:
        """The grid of the file, and how ours lies on it."""

    def to_original(self, array: AnyArray) -> AnyArray:
        """Bring a ``(Z, Y, X)`` array to the file's grid; see :meth:`VolumeGrid.to_original`."""


def as_volume(source: Source) -> Volume:
    """Return a volume as what it is, to whoever has asked for its ``kind`` already."""
    if source.kind != "volume":
        raise TypeError(f"{source.path} is a {source.kind}, not a volume")
    return cast("Volume", source)
