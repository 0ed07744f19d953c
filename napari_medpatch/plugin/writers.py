"""napari writers: File > Save, and ``layer.save``."""

from typing import Any


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a labels layer; the suffix says the format.

    Returns
    -------
    list of str
        The file written.
    """
    from napari_medpatch.plugin.saving import save_labels

    return [str(save_labels(data, attributes, path))]


def write_values(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a probability layer as values; the suffix says the format.

    Returns
    -------
    list of str
        The file written.
    """
    from napari_medpatch.plugin.saving import save_values

    return [str(save_values(data, attributes, path))]
