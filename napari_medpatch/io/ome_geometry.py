"""The calibration in OME-XML."""

from dataclasses import dataclass
from xml.etree import ElementTree

from napari_medpatch.io.export_note import ExportNote

NAMESPACE = "napari-medpatch"
NOTE_KEY = "note"
_UM = {"nm": 1e-3, "µm": 1.0, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}


@dataclass(frozen=True, slots=True)
class OmeGeometry:
    """Axes, calibration and names of an OME-TIFF.

    Parameters
    ----------
    axes : str
        Of the first image, such as ``"CYX"`` or ``"YXS"``.
    shape : tuple of int
        Along ``axes``.
    pixel_size : tuple of float or None
        ``(z, y, x)`` if the image has slices, otherwise ``(y, x)``; None if the file does not say.
    unit : str
        ``"um"`` or ``"mm"``, of ``pixel_size`` and ``origin``.
    origin : tuple of float or None
        Centre of the first pixel, as many values as ``pixel_size``; None if the file does not say.
    channel_names : tuple of str
        Empty if the file does not say.
    note : ExportNote or None
        Of files that this package wrote.
    """

    axes: str
    shape: tuple[int, ...]
    pixel_size: tuple[float, ...] | None
    unit: str
    origin: tuple[float, ...] | None
    channel_names: tuple[str, ...]
    note: ExportNote | None


def parse_ome_xml(text: str, axes: str, shape: tuple[int, ...]) -> OmeGeometry | None:
    """Read the first image of an OME-XML document.

    Parameters
    ----------
    text : str
        The document.
    axes, shape : str, tuple of int
        Of the image data.

    Returns
    -------
    OmeGeometry or None
        None if the document has no image or is not XML.
    """
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return None
    pixels = root.find(".//{*}Pixels")
    if pixels is None:
        return None
    spatial = "ZYX" if "Z" in axes else "YX"
    unit = "mm" if pixels.get(f"PhysicalSize{spatial[0]}Unit") == "mm" else "um"
    names = tuple(channel.get("Name", "") for channel in pixels.findall("{*}Channel"))
    return OmeGeometry(
        axes=axes,
        shape=shape,
        pixel_size=_lengths(pixels, "PhysicalSize", spatial, unit),
        unit=unit,
        origin=_lengths(pixels.find("{*}Plane"), "Position", spatial, unit),
        channel_names=names if any(names) else (),
        note=_note(root),
    )


def _lengths(element: ElementTree.Element | None, key: str, spatial: str, unit: str) -> tuple[float, ...] | None:
    """Return one attribute per axis in ``unit``, None unless all are there and in a length we know."""
    if element is None:
        return None
    lengths = []
    for axis in spatial:
        factor = _UM.get(element.get(f"{key}{axis}Unit", "µm"))
        try:
            value = float(element.get(f"{key}{axis}", "nan"))
        except ValueError:
            return None
        if factor is None or value != value or (key == "PhysicalSize" and value <= 0):
            return None
        same = element.get(f"{key}{axis}Unit", "µm") in ({"µm", "um"} if unit == "um" else {"mm"})
        lengths.append(value if same else value * factor / _UM[unit])
    return tuple(lengths)


def _note(root: ElementTree.Element) -> ExportNote | None:
    for annotation in root.findall(".//{*}MapAnnotation"):
        if annotation.get("Namespace") == NAMESPACE:
            for entry in annotation.findall(".//{*}M"):
                if entry.get("K") == NOTE_KEY and entry.text:
                    return ExportNote.from_json(entry.text)
    return None
