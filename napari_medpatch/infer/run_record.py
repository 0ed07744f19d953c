"""What a run was: fingerprints to recognise it by, and the record written beside its results."""

import hashlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_medpatch import __version__
from napari_medpatch.geometry import Box, split_axis
from napari_medpatch.io.source import Source
from napari_medpatch.models.foreign import FOREIGN_NAMES
from napari_medpatch.models.weights_file import WEIGHTS_NAME

if TYPE_CHECKING:
    from napari_medpatch.geometry import Spacing
    from napari_medpatch.models.bundle import Bundle
    from napari_medpatch.patches.roi import Region

_ENDS = 1 << 20
_WEIGHTS = (WEIGHTS_NAME, *FOREIGN_NAMES)


def digest(*parts: Any) -> str:
    """Return the SHA-256 of JSON values, arrays and bytes."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            total.update(f"{part.dtype}{part.shape}".encode())
            total.update(np.ascontiguousarray(part).tobytes())
        elif isinstance(part, bytes):
            total.update(part)
        else:
            total.update(json.dumps(part, sort_keys=True, default=str).encode())
        total.update(b"\0")
    return total.hexdigest()


def source_digest(source: Source) -> str:
    """Identify an image by its file (size, time of change, first and last megabyte), or by its pixels."""
    shape = [list(level.shape) for level in source.levels]
    if source.path.is_file():
        return digest(shape, file_ends(source.path))
    if source.path.is_dir():
        files = sorted(path for path in source.path.rglob("*") if path.is_file())
        return digest(shape, [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files])
    rows, columns = source.levels[0].shape[-2:]
    strips = (source.read(0, Box((a, 0), (b, columns))) for a, b in split_axis(rows, 1024))
    return digest(shape, *strips)


def file_ends(path: Path) -> bytes:
    """Return size, time of change and both ends of a file: enough to notice that it is another one."""
    status = path.stat()
    with path.open("rb") as file:
        first = file.read(_ENDS)
        file.seek(max(0, status.st_size - _ENDS))
        return f"{status.st_size} {status.st_mtime_ns} ".encode() + first + file.read(_ENDS)


def model_digest(bundle: "Bundle") -> str:
    """Identify a model by its configuration and weights."""
    card = bundle.card
    return digest(card.to_config(), card.weights_sha256 or _weights_digest(bundle))


def _weights_digest(bundle: "Bundle") -> str:
    """Return the SHA-256 of the weights file; a name where there is none (timm's own weights)."""
    candidates = [bundle.weights] if bundle.weights else [bundle.path / name for name in _WEIGHTS]
    for path in candidates:
        if path.is_file():
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
    return str(bundle.path)


def describe_source(source: Source) -> dict[str, Any]:
    """Return what a record says about an image."""
    spacing = source.spacing
    return {
        "file": str(source.path),
        "format": source.format,
        "shape": list(source.levels[0].shape),
        "spacing": list(spacing.values) if spacing else None,
        "spacing_unit": spacing.unit if spacing else None,
        "spacing_origin": spacing.origin if spacing else None,
    }


def describe_region(region: "Region | None", spacing: "Spacing | None") -> dict[str, Any] | None:
    """Return what a record says about a region of interest: its polygons and their area, holes left out.

    ``area_px`` counts level-0 pixels; ``area_um2`` is None for images without a pixel size. What two
    polygons share counts twice.
    """
    if region is None:
        return None
    area = sum(map(_ring_area, region.polygons)) - sum(_ring_area(ring) for holes in region.holes for ring in holes)
    known = spacing is not None and spacing.unit == "um"
    pixel = float(np.prod(spacing.values)) if spacing is not None and known else None
    return {
        "polygons": len(region.polygons),
        "area_px": round(area, 1),
        "area_um2": round(area * pixel, 1) if pixel is not None else None,
    }


def _ring_area(ring: npt.NDArray[np.float64]) -> float:
    """Return the area within a ring (the shoelace formula)."""
    y, x = (ring - ring[0]).T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def describe_model(bundle: "Bundle") -> dict[str, Any]:
    """Return what a record says about a model."""
    card = bundle.card
    return {
        "name": card.name,
        "architecture": card.architecture,
        "class_names": list(card.class_names),
        "digest": model_digest(bundle),
        "licence": card.licence,
        "citation": card.citation,
        "origin": plain(card.origin),
    }


def versions() -> dict[str, str]:
    """Return the versions that can change a result."""
    import torch

    return {
        "napari_medpatch": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def plain(value: Any) -> Any:
    """Turn tuples, paths, NumPy scalars and NaN into what JSON can hold; NaN and infinity become null."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
