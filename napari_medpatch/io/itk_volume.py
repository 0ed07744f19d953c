"""Volumes from NRRD and MetaImage files, read by SimpleITK."""

from pathlib import Path
from typing import Any

from napari_medpatch.errors import ChoiceNeededError
from napari_medpatch.events import Finished, Job, Started, counted
from napari_medpatch.geometry import Spacing
from napari_medpatch.io.itk_header import ItkHeader
from napari_medpatch.io.itk_image import ItkImage, read_itk
from napari_medpatch.io.memory import MemorySource
from napari_medpatch.io.nifti_values import ValueFacts, read_blocks, value_notes
from napari_medpatch.io.orientation import axis_codes, oblique_degrees
from napari_medpatch.io.source import AnyArray


class ItkVolumeSource(MemorySource):
    """An NRRD or MetaImage volume in memory, ``(Z, Y, X)`` along the closest of the axes S, P and L.

    Made by :func:`itk_steps`, or by ``open_source(file)``. Values and grid follow the rules of
    :class:`napari_medpatch.io.volume.VolumeSource`.

    Parameters
    ----------
    image : ItkImage
        The file.
    array : ndarray
        ``(Z, Y, X)``, int16 or float32.
    facts : ValueFacts
        Of its values.
    index : int
        Which volume of a file of several.
    """

    def __init__(self, image: ItkImage, array: AnyArray, facts: ValueFacts, index: int) -> None:
        header, grid = image.header, image.grid
        super().__init__(
            header.path,
            "volume",
            array,
            format=header.format,
            spacing=Spacing(grid.spacing, "mm", f"{header.format} header") if header.has_spacing else None,
            metadata=_metadata(image, facts, index),
            grid=grid,
        )


def itk_steps(path: Path, volume_index: int | None = None) -> Job:
    """Open an NRRD or MetaImage volume as a job.

    Parameters
    ----------
    path : Path
        ``.nrrd``, ``.nhdr``, ``.mha`` or ``.mhd``; compressed or not.
    volume_index : int, optional
        Which volume of a file with several, by channel or time, from 0.

    Yields
    ------
    Started, Working, Finished
        The result is an :class:`ItkVolumeSource`.

    Raises
    ------
    ChoiceNeededError
        If the file holds several volumes and ``volume_index`` is missing or out of range.
    UnsupportedFormatError
        If it is no volume of real numbers.
    DamagedFileError
        If it ends early or cannot be unpacked.
    GeometryError
        If its voxel size is impossible.
    """
    image = yield from read_itk(path)
    index = _choose(image, volume_index)
    depth = image.grid.shape[2]
    yield Started(depth, "slices")
    steps = read_blocks(lambda: image.blocks(index), image.grid.shape, image.grid.orientation, path)
    array, facts = yield from counted(steps)
    yield Finished(ItkVolumeSource(image, array, facts, index))


def _choose(image: ItkImage, wanted: int | None) -> int:
    count, path = len(image.volumes), image.header.path
    if wanted is None and count == 1:
        return 0
    if wanted is not None and 0 <= wanted < count:
        return wanted
    last = count - 1
    if wanted is not None:
        message = f"{path} has no volume {wanted}; give an index from 0 to {last}."
    else:
        message = f"{path} holds {count} volumes; say which one, from 0 to {last}."
    raise ChoiceNeededError(message, [f"volume {n}" for n in range(count)])


def _metadata(image: ItkImage, facts: ValueFacts, index: int) -> dict[str, Any]:
    header, grid = image.header, image.grid
    return {
        "orientation": axis_codes(grid.affine),
        "oblique_degrees": round(oblique_degrees(grid.affine), 3),
        "affine": grid.affine.tolist(),
        "file_shape": list(grid.shape),
        "volume_index": index,
        "volumes": len(image.volumes),
        "stored_dtype": image.volumes[0].dtype.name,
        "value_unit": "HU" if facts.is_ct else "arbitrary units",
        "value_range": [facts.low, facts.high],
        "notes": [*_header_notes(header), *value_notes(facts)],
    }


def _header_notes(header: ItkHeader) -> list[str]:
    if not header.has_spacing:
        return ["The file does not say how large its voxels are or how it lies: left and right are not known."]
    if not header.has_position:
        return ["The file does not say how it lies: left and right are not known."]
    return []
