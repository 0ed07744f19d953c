"""Find the picture in a TIFF file: its full-resolution page and the smaller copies of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_medpatch.errors import UnsupportedFormatError

_BESIDE = ("label", "macro", "thumbnail", "overview")


@dataclass(frozen=True, slots=True)
class TiffPicture:
    """What of a TIFF file is shown.

    Parameters
    ----------
    pages : tuple of tifffile.TiffPage
        Finest first.
    image_index : int
        Position of the series in the file, which is the number of its ``Image`` in OME-XML.
    beside : mapping of str to tifffile.TiffPage
        Label, macro and the like.
    note : str
        One sentence if not everything in the file is shown.
    """

    pages: tuple[Any, ...]
    image_index: int
    beside: dict[str, Any]
    note: str = ""


def find_picture(tif: Any, path: Path) -> TiffPicture:
    """Choose the largest picture and its pyramid.

    Parameters
    ----------
    tif : tifffile.TiffFile
        The open file.
    path : Path
        For the sentence.

    Raises
    ------
    UnsupportedFormatError
        If the file holds a stack or separate channels, of which no single picture can be chosen.
    """
    series = list(tif.series)
    beside = {
        name: one.keyframe.aspage() for one in series for name in _BESIDE if name in (one.name or "").lower().split()
    }
    candidates = [index for index, one in enumerate(series) if not _is_beside(one)]
    if not candidates:
        raise UnsupportedFormatError(f"{path} holds no picture that can be shown.")
    best = max(candidates, key=lambda index: _area(series[index]))
    note = _stack_note(series[best], path)
    pages = [level.pages[0].aspage() for level in series[best].levels]
    pages += [one.keyframe.aspage() for index, one in enumerate(series) if index != best and not _is_beside(one)]
    pages.sort(key=lambda page: -page.imagewidth)
    return TiffPicture(_pyramid(pages), best, beside, note)


def tiled_pages(tif: Any) -> dict[tuple[int, int], Any]:
    """Return the tiled pages of an open file by shape ``(Y, X)``, the first of each."""
    found: dict[tuple[int, int], Any] = {}
    for page in tif.pages:
        if page.is_tiled:
            found.setdefault((int(page.imagelength), int(page.imagewidth)), page)
    return found


def orientation(page: Any) -> int:
    """Return the orientation tag of a page, 1 (upright) if it has none."""
    return int(page.tags.valueof(274) or 1)


def _area(series: Any) -> int:
    return int(series.keyframe.imagelength) * int(series.keyframe.imagewidth)


def _is_beside(series: Any) -> bool:
    return any(name in (series.name or "").lower().split() for name in _BESIDE)


def _pyramid(pages: list[Any]) -> tuple[Any, ...]:
    """Keep the pages that are the first one, smaller: same samples and aspect."""
    full = pages[0]
    kept = [full]
    for page in pages[1:]:
        same = (page.samplesperpixel, page.dtype, int(page.photometric)) == (
            full.samplesperpixel,
            full.dtype,
            int(full.photometric),
        )
        if same and page.imagewidth < kept[-1].imagewidth and _same_aspect(full, page):
            kept.append(page)
    return tuple(kept)


def _same_aspect(full: Any, page: Any) -> bool:
    """Return whether both sides shrink by the same factor, give or take a pixel lost to rounding."""
    factor = full.imagewidth / page.imagewidth
    slack = 1 + page.imagelength / page.imagewidth
    return bool(abs(full.imagelength / factor - page.imagelength) <= slack)


def _stack_note(series: Any, path: Path) -> str:
    """Return a note when only the first plane of a stack is shown.

    Raises
    ------
    UnsupportedFormatError
        If the planes are channels or a stack of grey pictures: neither has a plane that stands for all.
    """
    axes, shape = str(series.axes), tuple(int(n) for n in series.shape)
    planes = {axis: n for axis, n in zip(axes, shape, strict=True) if axis not in "YXS" and n > 1}
    if not planes:
        return ""
    text = " × ".join(f"{n} {_AXIS_NAMES.get(axis, 'pages')}" for axis, n in planes.items())
    if "C" in planes:
        raise UnsupportedFormatError(
            f"{path} is a multi-channel picture ({text}), not a colour slide; save the channels to show as RGB TIFF."
        )
    if series.keyframe.samplesperpixel < 3:
        raise UnsupportedFormatError(f"{path} is a stack of grey pictures ({text}); save one of them as a TIFF.")
    return f"The file holds {text}; the first is shown."


_AXIS_NAMES = {"Z": "focus planes", "T": "time points", "C": "channels"}
