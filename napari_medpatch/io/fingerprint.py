"""Which image a project belongs to, so that a file of the same name is not taken for it."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_medpatch.geometry import Box
from napari_medpatch.io.source import Source

_PIECE = 1 << 16


def fingerprint(source: Source) -> dict[str, Any]:
    """Return facts that tell one image from another, without reading all of it.

    Parameters
    ----------
    source : Source
        Any source.

    Returns
    -------
    dict
        JSON-serialisable: ``shape`` always; ``size``, ``mtime_ns`` and ``sha256`` (of the first, middle and
        last 64 kB) of a file; ``files`` and their total ``size`` of a folder; of a DICOM series, whose folder may be
        copied and hold other series, ``series_uid`` and ``sha256`` (of that and the middle slice).
    """
    facts: dict[str, Any] = {"shape": list(source.levels[0].shape), "format": source.format}
    series = source.metadata.get("series_uid")
    if series:
        return facts | {"series_uid": series, "sha256": _middle_hash(source, str(series))}
    path = source.path
    if path.is_file():
        status = path.stat()
        facts |= {"size": status.st_size, "mtime_ns": status.st_mtime_ns, "sha256": _pieces_hash(path)}
    elif path.is_dir():
        sizes = [entry.stat().st_size for entry in os.scandir(path) if entry.is_file()]
        facts |= {"files": len(sizes), "size": sum(sizes)}
    return facts


def same_image(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether two fingerprints are of one image; copying a file changes its time, which is no difference."""
    return all(recorded.get(key) == now.get(key) for key in ("shape", "size", "sha256", "files"))


def _middle_hash(source: Source, series: str) -> str:
    """Return a hash of a series' middle slice: phases and echoes of one series differ there."""
    shape = source.levels[0].shape
    middle = shape[0] // 2
    plane = source.read(0, Box((middle, 0, 0), (middle + 1, *shape[1:])))
    return hashlib.sha256(series.encode() + plane.tobytes()).hexdigest()


def _pieces_hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        # Volumes of one scanner share header and air, so the head alone would not do.
        for offset in sorted({0, max(0, size // 2 - _PIECE // 2), max(0, size - _PIECE)}):
            file.seek(offset)
            digest.update(file.read(_PIECE))
    return digest.hexdigest()
