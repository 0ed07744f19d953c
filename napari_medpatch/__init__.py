"""Open slides, fundus photographs and CT volumes; classify, segment, paint, retrain and export.

The names below are the public API. They are imported on first use, so that importing the package costs
nothing: ``from napari_medpatch import open_source, segment``.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_API = {
    "Box": "geometry",
    "Spacing": "geometry",
    "MedPatchError": "errors",
    "run": "events",
    "detect": "io.detect",
    "open_source": "io.detect",
    "classify": "infer.classify",
    "classify_many": "cohort.many",
    "ClassifySettings": "infer.classify",
    "explain": "infer.explain",
    "ExplainSettings": "infer.explain",
    "GradCam": "infer.grad_cam",
    "most_and_least": "infer.gallery",
    "write_gallery": "infer.gallery",
    "segment": "infer.segment",
    "SegmentSettings": "infer.segment",
    "clean": "infer.clean.job",
    "clean_up": "infer.clean.job",
    "parse_step": "infer.clean.registry",
    "fine_tune": "train.fine_tune",
    "FineTuneSettings": "train.fine_tune",
    "SparseLabels": "annotate.sparse",
    "interpolate": "annotate.interpolate",
    "InterpolateSettings": "annotate.interpolate",
    "accept": "annotate.accept",
    "Project": "annotate.project",
    "resolve_model": "models.registry",
    "list_models": "models.registry",
    "load_bundle": "models.bundle",
    "save_bundle": "models.bundle",
    "ModelCard": "models.card",
    "export_bundle": "models.wsinfer_export",
    "list_zoo": "models.zoo",
    "zoo_bundle": "models.zoo",
    "download_model": "models.zoo",
    "export_path": "io.export",
    "write_mask": "io.export",
    "write_probabilities": "io.export",
    "write_volume": "io.export",
    "ExportOptions": "io.export_options",
}
__all__ = ["__version__", *_API]


def __getattr__(name: str) -> Any:
    if name not in _API:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_API[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
