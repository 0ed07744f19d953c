"""What goes into one file: values, where they lie, and what is known of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from napari_medpatch.io.class_colours import class_colour
from napari_medpatch.io.class_files import class_files, class_name
from napari_medpatch.io.export_format import ResultKind
from napari_medpatch.io.export_note import ExportNote
from napari_medpatch.io.export_options import ExportOptions
from napari_medpatch.io.source import AnyArray, Source
from napari_medpatch.io.volume_grid import VolumeGrid
from napari_medpatch.io.volume_source import as_volume


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Values for one file.

    Parameters
    ----------
    kind : {"mask", "probabilities", "image"}
        What they are.
    values : ndarray
        A mask ``(Z, Y, X)`` or ``(Y, X)`` uint8; maps with an axis of classes in front; an image ``(Z, Y, X)``.
    source : Source
        The image they belong to.
    path : Path
        The file.
    names : tuple of str
        Of mask values 1, 2, …, or of the maps.
    colours : tuple of str
        ``#rrggbb`` of the classes, as far as the user chose them.
    provenance : mapping
        Model and settings.
    options : ExportOptions
        What the user chose.
    downsample : tuple of float
        Level-0 pixels per pixel along y and x; not 1 for masks of slides.
    """

    kind: ResultKind
    values: AnyArray
    source: Source
    path: Path
    names: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    options: ExportOptions = field(default_factory=ExportOptions)
    downsample: tuple[float, float] = (1.0, 1.0)

    @property
    def note(self) -> ExportNote:
        """What the file says about itself."""
        return ExportNote(self.kind, self.names, dict(self.provenance))

    @property
    def grid(self) -> VolumeGrid:
        """Of a volume."""
        return as_volume(self.source).grid

    @property
    def classes(self) -> tuple[str, ...]:
        """A name for every class: mask values beyond the names, and maps without one, are numbered."""
        count = len(self.values) if self.kind == "probabilities" else max(len(self.names), int(self.values.max()))
        return tuple(class_name(value, self.names) for value in range(1, count + 1))


def of_class(part: Part, index: int, path: Path) -> Part:
    """Return one class of a part, as value 1.

    Parameters
    ----------
    part : Part
        Mask or maps.
    index : int
        Of the class, from 0.
    path : Path
        Its file.
    """
    colour = "#{:02x}{:02x}{:02x}".format(*class_colour(index + 1, part.colours))
    values = part.values[index : index + 1] if part.kind == "probabilities" else _only(part.values, index + 1)
    return replace(part, values=values, names=(part.classes[index],), colours=(colour,), path=path)


def files_of(part: Part, *, always: bool) -> Sequence[Path]:
    """Return a file per class; the part's own where it has one class, unless ``always``."""
    classes = part.classes
    return class_files(part.path, classes) if always or len(classes) != 1 else [part.path]


def _only(mask: AnyArray, value: int) -> AnyArray:
    chosen: AnyArray = (mask == value).view("uint8")
    return chosen
