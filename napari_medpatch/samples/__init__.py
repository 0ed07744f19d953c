"""Simulated images of any size with truth: a tissue slide, a fundus photograph and a chest CT.

Shapes, colours and statistics are plausible, not measured; see each module. Importing this package is cheap.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_medpatch.samples.fundus import Fundus, make_fundus
    from napari_medpatch.samples.huge_slide import HugeSlide, make_huge_slide
    from napari_medpatch.samples.slide import SlideTruth, make_slide
    from napari_medpatch.samples.store import SAMPLE_FILES, sample_path, write_samples
    from napari_medpatch.samples.thorax import THORAX_CLASSES, Thorax, make_thorax

_HOMES = {
    "Fundus": "fundus", "make_fundus": "fundus",
    "HugeSlide": "huge_slide", "make_huge_slide": "huge_slide",
    "SlideTruth": "slide", "make_slide": "slide",
    "SAMPLE_FILES": "store", "sample_path": "store", "write_samples": "store",
    "THORAX_CLASSES": "thorax", "Thorax": "thorax", "make_thorax": "thorax",
}  # fmt: skip

__all__ = [
    "SAMPLE_FILES",
    "THORAX_CLASSES",
    "Fundus",
    "HugeSlide",
    "SlideTruth",
    "Thorax",
    "make_fundus",
    "make_huge_slide",
    "make_slide",
    "make_thorax",
    "sample_path",
    "write_samples",
]


def __getattr__(name: str) -> Any:
    """Import a phantom when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
