"""NRRD and MetaImage files as SimpleITK reads them: grid and values, nothing converted yet."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_medpatch.errors import DamagedFileError, GeometryError, MedPatchError, UnsupportedFormatError
from napari_medpatch.events import Event, Started, Working
from napari_medpatch.io.itk_header import ItkHeader, read_itk_header
from napari_medpatch.io.orientation import Affine, voxel_sizes
from napari_medpatch.io.reading import damaged
from napari_medpatch.io.source import AnyArray
from napari_medpatch.io.volume_grid import VolumeGrid
from napari_medpatch.io.wording import size_text, spacing_text
from napari_medpatch.patience import patiently, saying

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_SLAB_VOXELS = 4 << 20


@dataclass(frozen=True, slots=True)
class ItkImage:
    """What SimpleITK read.

    Parameters
    ----------
    header : ItkHeader
        Of the file.
    grid : VolumeGrid
        Over ``(i, j, k)`` as stored, the first index fastest.
    volumes : tuple of ndarray
        ``(i, j, k)`` views of the values as stored, one per channel or time.
    memory : object
        SimpleITK's image, which the views look into.
    """

    header: ItkHeader
    grid: VolumeGrid
    volumes: tuple[AnyArray, ...]
    memory: Any

    def blocks(self, volume: int = 0) -> Iterator[tuple[slice, AnyArray]]:
        """Yield the values of a volume a few slices at a time, with their range along the last axis."""
        values = self.volumes[volume]
        step = max(1, _SLAB_VOXELS // (values.shape[0] * values.shape[1]))
        for start in range(0, values.shape[2], step):
            where = slice(start, min(start + step, values.shape[2]))
            yield where, values[..., where]


def read_itk(path: Path) -> Generator[Event, None, ItkImage]:
    """Read a file, with events while SimpleITK works, which does not say how far it is.

    Raises
    ------
    UnsupportedFormatError, DamagedFileError, GeometryError
        If it is no volume of real numbers, ends early, or has an impossible voxel size.
    """
    import SimpleITK

    header = read_itk_header(path)
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("NrrdImageIO" if header.format == "NRRD" else "MetaImageIO")
    reader.SetFileName(str(header.path))
    yield Started(1, "files")
    try:
        image = yield from saying(Working(0), patiently(reader.Execute))
    except RuntimeError as error:
        raise _unreadable(path, str(error)) from error
    return ItkImage(header, _grid(image, header), _volumes(image, path), image)


def _unreadable(path: Path, sentence: str) -> MedPatchError:
    """Turn ITK's account of its source lines into a sentence."""
    if "spacing" in sentence or "determinant" in sentence:
        return GeometryError(f"{path} gives an impossible voxel size or direction; correct its header.")
    if "not supported" in sentence or "Unsupported" in sentence:
        reason = " ".join(sentence.rpartition("): ")[2].split()).removesuffix(" This is not supported.").rstrip(".")
        return UnsupportedFormatError(f"{path} is of a kind that SimpleITK does not read ({reason}).")
    return DamagedFileError(damaged(path))


def _grid(image: Any, header: ItkHeader) -> VolumeGrid:
    size = image.GetSize()
    if len(size) not in (3, 4) or min(size) < 1:
        raise UnsupportedFormatError(
            f"{header.path} holds {len(size)}D data ({size_text(size)}), not a volume; save a slice as PNG or TIFF."
        )
    dimension = image.GetDimension()
    directions = np.asarray(image.GetDirection()).reshape(dimension, dimension)[:3, :3]
    affine = np.eye(4)
    affine[:3, :3] = directions * np.asarray(image.GetSpacing()[:3])
    affine[:3, 3] = image.GetOrigin()[:3]
    matrix: Affine = _LPS_TO_RAS @ affine
    sizes = voxel_sizes(matrix)
    if not np.isfinite(matrix).all() or not 0 < abs(np.linalg.det(matrix[:3, :3])) >= 1e-4 * np.prod(sizes):
        raise GeometryError(
            f"{header.path} gives an impossible voxel size ({spacing_text(sizes)}) or direction; correct its header."
        )
    shape = (int(size[0]), int(size[1]), int(size[2]))
    return VolumeGrid.of_file(matrix, shape, unit_mm=header.unit_mm, known=header.has_position)


def _volumes(image: Any, path: Path) -> tuple[AnyArray, ...]:
    import SimpleITK

    values: AnyArray = SimpleITK.GetArrayViewFromImage(image)
    if values.dtype.kind not in "iuf":
        raise UnsupportedFormatError(f"{path} holds {values.dtype} values; only volumes of real numbers can be read.")
    channels, times = image.GetNumberOfComponentsPerPixel(), image.GetSize()[3:] or (1,)
    if channels > 1 and times != (1,):
        raise UnsupportedFormatError(f"{path} holds vectors that change with time, which is not read.")
    if channels > 1:
        return tuple(values[..., n].reshape(values.shape[-4:-1]).T for n in range(channels))
    return tuple(each.T for each in values.reshape((times[0], *values.shape[-3:])))
