"""What ``info --json`` says of a source."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_medpatch.io.source import Source


def describe(source: "Source") -> dict[str, Any]:
    """Return the facts of an open source, ready for JSON.

    Parameters
    ----------
    source : Source
        Slide, photograph or volume.

    Returns
    -------
    dict
        ``path``, ``kind``, ``format``, ``shape`` (of the finest level) and its ``axes``, ``dtype``,
        ``spacing`` (list along the spatial axes, or None), ``spacing_unit``, ``spacing_origin``, ``levels``
        (list of ``{shape, downsample, synthetic}``), then the source's own metadata: for slides
        ``associated_images``, ``spacing_note``, ``notes``, ``vendor``, ``objective_power`` and the like. Keys may
        be added in later versions, none are renamed.
    """
    spacing = source.spacing
    synthetic = getattr(source, "synthetic", (False,) * len(source.levels))
    facts: dict[str, Any] = {
        "path": str(source.path),
        "kind": source.kind,
        "format": source.format,
        "shape": [int(n) for n in source.levels[0].shape] + ([3] if source.axes.endswith("C") else []),
        "axes": source.axes,
        "dtype": str(source.dtype),
        "spacing": None if spacing is None else [float(v) for v in spacing.values],
        "spacing_unit": None if spacing is None else spacing.unit,
        "spacing_origin": None if spacing is None else spacing.origin,
        "levels": [
            {
                "shape": [int(n) for n in level.shape],
                "downsample": [float(d) for d in level.downsample],
                "synthetic": bool(made),
            }
            for level, made in zip(source.levels, synthetic, strict=True)
        ],
    }
    return {**{key: _plain(value) for key, value in source.metadata.items() if key not in facts}, **facts}


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: NumPy numbers, tuples and paths are turned."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
