"""What many slides are: paths expanded, doubles dropped, names that would overwrite one another found."""

import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from napari_medpatch.errors import MedPatchError, OutputError, UnsupportedFormatError
from napari_medpatch.infer.choose_scoring import check_settings
from napari_medpatch.infer.classify_outputs import ClassifyFiles
from napari_medpatch.infer.classify_result import ClassifySettings
from napari_medpatch.io.detect import detect
from napari_medpatch.patches.presets import tiling_named

_FOLDER_STEM = "scores"
"""A folder of patches writes ``scores.csv``, ``scores.json`` and ``scores.parts``."""


@dataclass(frozen=True, slots=True)
class SlideTask:
    """One slide of many: paths and settings only, so that it can be sent to another machine.

    Parameters
    ----------
    path : str
        As the user gave it.
    file : str
        The same, absolute.
    out : str
        Folder of the results, absolute.
    settings : ClassifySettings
        How.
    mpp : (float, float), optional
        ``(y, x)`` µm per pixel of level 0, for files that do not say.
    roi : str, optional
        GeoJSON file of the region to look at.
    tissue : str, optional
        Image of where tissue is.
    refusal : str
        Why this slide cannot be classified into this folder, empty if it can.
    """

    path: str
    file: str
    out: str
    settings: ClassifySettings
    mpp: tuple[float, float] | None = None
    roi: str | None = None
    tissue: str | None = None
    refusal: str = ""


def expand(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Expand patterns that the shell left as they are (Windows), and drop files given twice.

    Raises
    ------
    UnsupportedFormatError
        If nothing matches a pattern.
    """
    found: dict[Path, str] = {}
    for path in (os.fspath(path) for path in paths):
        for match in _matches(path):
            found.setdefault(Path(match).resolve(), match)
    return list(found.values())


def is_folder_of_patches(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a folder, but not that of a DICOM slide."""
    if not Path(path).is_dir():
        return False
    try:
        return detect(Path(path)).kind != "slide"
    except MedPatchError:
        return True


def plan(
    paths: Iterable[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    settings: ClassifySettings,
    *,
    mpp: tuple[float, float] | None = None,
    roi: str | os.PathLike[str] | None = None,
    tissue: str | os.PathLike[str] | None = None,
) -> tuple[SlideTask, ...]:
    """Say what is to be done, in the order of the paths.

    Results are named after the slide, and a later run must find them whatever else it is given. So of two
    slides of one name the second is refused rather than renamed.

    Parameters
    ----------
    paths : sequence of path-like
        Slides, photographs, folders of patches, or patterns of them.
    out : path-like
        Folder of the results.
    settings : ClassifySettings
        How.
    mpp : (float, float), optional
        ``(y, x)`` µm per pixel for files that do not say.
    roi, tissue : path-like, optional
        A file for a single slide, or a folder with a file named after each slide.

    Raises
    ------
    UnsupportedFormatError
        If nothing matches a pattern, or one region or mask is given for several slides.
    SettingsError, GeometryError
        If settings make no sense, whatever the slide.
    OutputError
        If ``out`` is a file.
    """
    check_settings(settings)
    tiling_named(settings.tiling)
    slides = expand(paths)
    folder = Path(out).expanduser().absolute()
    if folder.is_file():
        raise OutputError(f"{folder} is a file, but results need a folder; choose another output.")
    companions = [("region", roi, (".geojson", ".geojson.gz", ".json")), ("tissue mask", tissue, _MASKS)]
    for name, given, _ in companions:
        if given is not None and len(slides) > 1 and not Path(given).is_dir():
            raise UnsupportedFormatError(
                f"{given} is one {name} for {len(slides)} slides; give a folder of files named after the slides."
            )
    taken: dict[str, str] = {}
    tasks = []
    for path in slides:
        stem = _FOLDER_STEM if is_folder_of_patches(path) else ClassifyFiles.of(folder, Path(path)).stem
        refusal = _clash(path, taken.setdefault(stem.casefold(), path), folder)
        found = [_companion(path, stem, name, given, suffixes) for name, given, suffixes in companions]
        refusal = refusal or "".join(reason for _, reason in found if reason)
        file = str(Path(path).expanduser().absolute())
        tasks.append(SlideTask(path, file, str(folder), settings, mpp, found[0][0], found[1][0], refusal))
    return tuple(tasks)


_MASKS = (".png", ".tif", ".tiff", ".ome.tiff")


def naming(path: str, message: str) -> str:
    """Return a sentence that says which slide it is about."""
    name = Path(path).name
    return message if name in message else f"{name}: {message}"


def _matches(path: str) -> Sequence[str]:
    if not glob.has_magic(path) or Path(path).exists():
        return [path]
    matches = sorted(glob.glob(str(Path(path).expanduser()), recursive=True))
    if not matches:
        raise UnsupportedFormatError(f"No file matches {path}.")
    return matches


def _clash(path: str, first: str, folder: Path) -> str:
    if first == path:
        return ""
    return f"Its results would overwrite those of {first} in {folder}; classify it into another folder."


def _companion(
    path: str, stem: str, name: str, given: str | os.PathLike[str] | None, suffixes: Sequence[str]
) -> tuple[str | None, str]:
    """Return the file that belongs to a slide, and what is wrong if there is none."""
    if given is None:
        return None, ""
    place = Path(given).expanduser().absolute()
    if not place.is_dir():
        return str(place), "" if place.is_file() else f"The {name} {given} does not exist."
    files = [file for suffix in suffixes if (file := place / f"{stem}{suffix}").is_file()]
    return (str(files[0]), "") if files else (None, f"There is no {name} of {Path(path).name} in {given}.")
