"""Preferences that classification, segmentation and training share."""

from typing import Any

from napari_medpatch.plugin.settings import preference


def where_models_run() -> dict[str, Any]:
    """Return ``device`` and ``precision`` for a job's settings."""
    return {"device": preference("inference", "device"), "precision": preference("inference", "precision")}
