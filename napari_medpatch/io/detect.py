"""Tell what a file or folder is by its content, and open it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_medpatch.errors import UnsupportedFormatError, WrongKindError
from napari_medpatch.events import Finished, Job, run
from napari_medpatch.io.itk_header import header_beside
from napari_medpatch.io.reading import reading
from napari_medpatch.io.signature import READABLE, is_gzipped, read_head, refuse, signature
from napari_medpatch.io.source import Kind

if TYPE_CHECKING:
    from napari_medpatch.io.source import Source
    from napari_medpatch.io.tile_cache import TileCache

Reader = Literal["openslide", "tifffile", "photo", "nifti", "dicom", "itk", "pngs"]


@dataclass(frozen=True, slots=True)
class Detected:
    """What a path is.

    Parameters
    ----------
    path : Path
        File or folder that was given.
    kind : {"slide", "photo", "volume"}
        How it is opened.
    format : str
        Name for people, such as ``"Aperio SVS"``.
    reader : {"openslide", "tifffile", "photo", "nifti", "dicom", "itk", "pngs"}
        Who opens it.
    entry : Path
        File to hand to the reader: ``path``, or one file of a folder or pair.
    """

    path: Path
    kind: Kind
    format: str
    reader: Reader
    entry: Path


def detect(path: str | Path, *, kind: Kind | None = None) -> Detected:
    """Tell what a file or folder is by its content; suffixes do not count.

    Parameters
    ----------
    path : path-like
        File, or folder with a DICOM slide, a DICOM series or PNG slices of this package.
    kind : {"slide", "photo", "volume"}, optional
        What the user says it is, where a file can be read as a slide and as a photograph.

    Raises
    ------
    UnsupportedFormatError
        If it does not exist or is nothing this package reads; the sentence names what it is.
    DamagedFileError
        If it is empty or cut off so early that it cannot be told.
    WrongKindError
        If it cannot be read as ``kind``.
    """
    path = Path(path).expanduser()
    with reading(path):
        found = _detect_folder(path) if path.is_dir() else _detect_file(path, kind)
    if kind is not None and found.kind != kind:
        return _as_kind(found, kind)
    return found


def open_source(
    path: str | Path,
    *,
    mpp: float | Sequence[float] | None = None,
    volume_index: int | None = None,
    kind: Kind | None = None,
    cache: "TileCache | None" = None,
) -> "Source":
    """Open a slide, photograph or volume.

    Parameters
    ----------
    path : path-like
        File, or folder with a DICOM slide or DICOM series; any file of a series opens the series.
    mpp : float or (float, float), optional
        µm per pixel of the finest level, two values are ``(y, x)``; overrides what the file says.
    volume_index : int, optional
        Which volume of a 4D file, or which DICOM series of a folder, from 0.
    kind : {"slide", "photo", "volume"}, optional
        As for :func:`detect`.
    cache : TileCache, optional
        For decoded tiles of slides; the shared one by default.

    Returns
    -------
    Source
        To be closed by the caller.

    Raises
    ------
    UnsupportedFormatError, DamagedFileError, WrongKindError
        As :func:`detect` and the readers do.
    ChoiceNeededError
        If the file or folder holds several volumes and ``volume_index`` does not say which.
    GeometryError
        If ``mpp`` is not positive, or given for a volume.
    """
    source: Source = run(open_steps(path, mpp=mpp, volume_index=volume_index, kind=kind, cache=cache))
    return source


def open_steps(
    path: str | Path,
    *,
    mpp: float | Sequence[float] | None = None,
    volume_index: int | None = None,
    kind: Kind | None = None,
    cache: "TileCache | None" = None,
) -> Job:
    """Open a slide, photograph or volume as a job, with progress where that takes time.

    Parameters
    ----------
    path, mpp, volume_index, kind, cache
        As :func:`open_source`, which also says what is raised.

    Yields
    ------
    Started, Working
        Of volumes only: files whose headers are read, then slices.
    Finished
        The result is the source, to be closed by the caller.
    """
    found = detect(path, kind=kind)
    if found.kind == "volume":
        yield from _volume_steps(found, mpp, volume_index)
    elif found.reader == "openslide":
        yield Finished(_open_slide(found, mpp, cache))
    elif found.reader == "tifffile":
        from napari_medpatch.io.tiff_tiles import TiffSource

        yield Finished(TiffSource(found.entry, mpp=mpp, cache=cache))
    else:
        yield Finished(_open_photo(found, mpp))


def _detect_file(path: Path, kind: Kind | None) -> Detected:
    name = "nifti" if _has_nifti_header_beside(path) else signature(read_head(path))
    if name not in READABLE:
        header = header_beside(path)
        if header is not None:
            return replace(_itk(header), path=path)
        raise refuse(path, name)
    if name == "nifti":
        return _nifti(path)
    if is_gzipped(path):
        raise UnsupportedFormatError(f"{path} is a gzipped {name.upper()} file; unpack it first.")
    if name in ("nrrd", "metaimage"):
        return _itk(path)
    if name == "tiff":
        from napari_medpatch.io.detect_tiff import detect_tiff

        return Detected(path, *detect_tiff(path, kind), path)
    if name == "dicom":
        return _dicom(path)
    if name in ("jpeg", "czi", "sqlite", "slide index"):
        slide = _openslide_format(path)
        if slide is not None:
            return Detected(path, "slide", slide, "openslide", path)
        if name != "jpeg":
            raise refuse(path, name)
    return Detected(path, "photo", name.upper(), "photo", path)


def _detect_folder(path: Path) -> Detected:
    from napari_medpatch.io.detect_dicom import find_in_folder
    from napari_medpatch.io.png_series import is_png_series

    if is_png_series(path):
        return Detected(path, "volume", "PNG series", "pngs", path)
    named = path.absolute()  # "." has no name of its own
    index = named.with_name(named.name + ".mrxs")
    if index.is_file() and (path / "Slidedat.ini").is_file():
        return Detected(path, "slide", "MIRAX MRXS", "openslide", index)
    kind, entry = find_in_folder(path)
    if kind == "slide":
        return Detected(path, "slide", "DICOM WSI", "openslide", entry)
    return Detected(path, "volume", "DICOM series", "dicom", path)


def _dicom(path: Path) -> Detected:
    from napari_medpatch.io.detect_dicom import is_slice, read_dicom_header, refuse_dicom

    header = read_dicom_header(path)
    if header.is_slide:
        return Detected(path, "slide", "DICOM WSI", "openslide", path)
    if is_slice(path):
        return Detected(path, "volume", "DICOM series", "dicom", path)
    raise refuse_dicom(path, header)


def _has_nifti_header_beside(path: Path) -> bool:
    """Return whether this is the image file of a NIfTI pair, which has no signature of its own."""
    stem, dot, ending = path.name.partition(".img")
    if not dot or ending not in ("", ".gz"):
        return False
    headers = [path.with_name(f"{stem}.hdr{end}") for end in ("", ".gz")]
    return any(header.is_file() and signature(read_head(header)) == "nifti" for header in headers)


def _nifti(path: Path) -> Detected:
    from napari_medpatch.io.nifti_file import open_nifti

    return Detected(path, "volume", open_nifti(path).format, "nifti", path)


def _itk(path: Path) -> Detected:
    from napari_medpatch.io.itk_header import read_itk_header

    return Detected(path, "volume", read_itk_header(path).format, "itk", path)


def _openslide_format(path: Path) -> str | None:
    """Return the name of the slide format that OpenSlide sees, None if it sees none."""
    import openslide

    from napari_medpatch.io.slide_formats import FORMATS

    vendor = openslide.OpenSlide.detect_format(path)
    return None if vendor is None else FORMATS.get(vendor, vendor)


def _as_kind(found: Detected, kind: Kind) -> Detected:
    """Return how to read a file as the kind that the user asks for."""
    if found.kind == "photo" and kind == "slide":
        return Detected(found.path, "slide", found.format, found.reader, found.entry)
    raise WrongKindError(f"{found.path} is a {found.kind} ({found.format}) and cannot be opened as a {kind}.")


def _open_slide(found: Detected, mpp: float | Sequence[float] | None, cache: "TileCache | None") -> "Source":
    from napari_medpatch.io.slide import OpenSlideSource
    from napari_medpatch.io.tiff_tiles import TiffSource

    # Results of a folder are named after the folder, not after one of the files in it.
    is_dicom_folder = found.format == "DICOM WSI" and found.path.is_dir()
    try:
        return OpenSlideSource(found.path if is_dicom_folder else found.entry, mpp=mpp, cache=cache)
    except UnsupportedFormatError:
        if signature(read_head(found.entry)) != "tiff":
            raise
    return TiffSource(found.entry, mpp=mpp, cache=cache)


def _open_photo(found: Detected, mpp: float | Sequence[float] | None) -> "Source":
    from napari_medpatch.io.memory import MemorySource
    from napari_medpatch.io.photo import PhotoSource
    from napari_medpatch.io.pixel_size import user_spacing

    photo = PhotoSource(found.entry)
    if mpp is None and found.kind == "photo":
        return photo
    spacing = photo.spacing if mpp is None else user_spacing(mpp)
    return MemorySource(
        found.path, found.kind, photo.array, format=photo.format, spacing=spacing, metadata=photo.metadata
    )


def _volume_steps(found: Detected, mpp: float | Sequence[float] | None, volume_index: int | None) -> Job:
    from napari_medpatch.errors import GeometryError

    if mpp is not None:
        raise GeometryError(f"{found.path} is a volume with its own voxel size in mm; a size in µm is for slides.")
    if found.reader == "dicom":
        from napari_medpatch.io.dicom_series import dicom_steps

        return dicom_steps(found.entry, volume_index)
    if found.reader == "itk":
        from napari_medpatch.io.itk_volume import itk_steps

        return itk_steps(found.entry, volume_index)
    if found.reader == "pngs":
        from napari_medpatch.io.png_series_reading import png_series_steps

        return png_series_steps(found.entry)
    from napari_medpatch.io.volume import volume_steps

    return volume_steps(found.entry, volume_index)
