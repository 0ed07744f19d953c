"""napari writers: File > Save, and ``layer.save``."""

from typing import Any

from napari_medpatch.events import Job, run


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a labels layer; the suffix says the format.

    Returns
    -------
    list of str
        The files written: STL has one per class.
    """
    from napari_medpatch.plugin.saving import saving_labels

    return _written(saving_labels(data, attributes, path))


def write_values(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write a probability layer as values; the suffix says the format.

    Returns
    -------
    list of str
        The file written.
    """
    from napari_medpatch.plugin.saving import saving_values

    return _written(saving_values(data, attributes, path))


def _written(job: Job) -> list[str]:
    return [str(path) for path in run(job).paths]
