"""Which formats the Export tab offers for a layer, and why one is missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from napari_medpatch.plugin.cam_overlay import EXPLAINED
from napari_medpatch.plugin.layers import LIVE, role_of
from napari_medpatch.plugin.links import image_of, kind_of
from napari_medpatch.plugin.twins import STAND_INS

if TYPE_CHECKING:
    import napari.layers

FOLDER = ""
"""Suffix of a folder with all files of a classification."""
SLICES = "/"
"""Suffix of a folder of PNG slices: a name without one."""
MAP_ROLES = ("probability", "uncertainty")
"""Roles of layers that hold a value from 0 to 1 for each voxel."""
PATCH_ROLES = ("heat map", "patch values")
"""Roles of layers that draw scores of patches."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format as people read it, and its suffix."""

    text: str
    suffix: str


_NIFTI = Format("NIfTI, exact grid of the image", ".nii.gz")
_TIFF = Format("OME-TIFF, calibrated values", ".ome.tiff")
_PNG = Format("PNG, values", ".png")
_OUTLINES = Format("GeoJSON, outlines for QuPath", ".geojson")
_SLICER = Format("NRRD, for 3D Slicer", ".seg.nrrd")
_NRRD = Format("NRRD, values", ".nrrd")
_META = Format("MetaImage, values", ".mha")
_SEG = Format("DICOM-SEG, on the series", ".dcm")
_FRACTIONS = Format("DICOM-SEG, fractions", ".dcm")
_STL = Format("STL, surfaces, one a class", ".stl")
_PLY = Format("PLY, surfaces in colour", ".ply")
_SLICES = Format("PNG slices, in a folder", SLICES)
_FORMATS: Mapping[tuple[str, str], tuple[Format, ...]] = MappingProxyType(
    {
        ("labels", "volume"): (_NIFTI, _SEG, _SLICER, _NRRD, _META, _STL, _PLY, _SLICES, _TIFF),
        ("labels", "photo"): (_PNG, _TIFF, _OUTLINES),
        ("labels", "slide"): (_OUTLINES, _TIFF, _PNG),
        ("probability", "volume"): (_NIFTI, _FRACTIONS, _NRRD, _META, _TIFF),
        ("probability", "photo"): (_TIFF, _PNG),
        ("probability", "slide"): (_TIFF, _PNG),
        ("image", "volume"): (_NIFTI, _NRRD, _META, _SLICES, _TIFF),
    }
)
_SCORES = (
    Format("Folder: table, GeoJSON, OME-TIFF, record", FOLDER),
    Format("CSV, one row per patch", ".csv"),
    Format("GeoJSON, tiles for QuPath", ".geojson"),
    Format("GeoJSON, compressed", ".geojson.gz"),
)


def what_of(layer: "napari.layers.Layer") -> str:
    """Return whether a layer holds ``"labels"``, a ``"probability"``, an ``"image"`` or, else, its role."""
    from napari.layers import Labels

    role = role_of(layer)
    if role in STAND_INS:
        return ""
    if role in MAP_ROLES:
        return "probability"
    if role in PATCH_ROLES or role == "grad-cam":
        return role
    if isinstance(layer, Labels):
        return "labels"
    return "image" if kind_of(layer) == "volume" and layer.metadata.get(LIVE) is not None else ""


def formats_of(layer: "napari.layers.Layer") -> tuple[Format, ...]:
    """Return the formats that can hold a layer."""
    what = what_of(layer)
    if what in PATCH_ROLES:
        return _SCORES if "medpatch_result" in layer.metadata else ()
    if what == "grad-cam":
        return (_TIFF,) if EXPLAINED in layer.metadata else ()
    kind = kind_of(image_of(layer)) or ("volume" if layer.ndim == 3 else "photo")
    offered = _FORMATS.get((what, kind), ())
    return offered if is_on_series(layer) else tuple(one for one in offered if one.suffix != ".dcm")


def is_on_series(layer: "napari.layers.Layer") -> bool:
    """Return whether a layer lies on a DICOM series that a DICOM-SEG could refer to."""
    return any(getattr(layer.metadata.get(LIVE), "slice_files", ()))


def hint_of(layer: "napari.layers.Layer") -> str:
    """Return why something is not offered, empty if there is nothing to say."""
    what, formats = what_of(layer), formats_of(layer)
    if what in ("grad-cam", *PATCH_ROLES) and not formats:
        return "The run has not finished: its values can be written when it has."
    kind = kind_of(image_of(layer)) or ("volume" if layer.ndim == 3 else "photo")
    if what in ("labels", "probability") and kind == "volume" and not is_on_series(layer):
        live = layer.metadata.get(LIVE)
        described = f"is {live.format}" if live is not None else "was not opened by MedPatch"
        return f"DICOM-SEG is offered on DICOM series only: it refers to their slices, and this image {described}."
    return ""
