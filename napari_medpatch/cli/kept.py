"""What a command that was stopped leaves behind: said as it is, after a look at the disk."""

import argparse
from collections.abc import Iterable
from glob import escape
from pathlib import Path

from napari_medpatch.io.class_files import split_suffix

AGAIN = "run the same command again to go on from there"
AFRESH = "run it without --no-resume to go on from there"
_CLOCK_NS = 20_000_000
"""File systems tell the time in steps, so that a file may seem a little older than the program."""
_OUTPUTS = ("output", "origins", "probabilities", "uncertainty", "report")


def stopped(arguments: argparse.Namespace, begun_ns: int) -> str:
    """Return the sentence for a command that was stopped.

    Parameters
    ----------
    arguments : Namespace
        Of the command. ``kept(arguments, begun_ns)``, where it has one, says what it leaves; else its outputs do.
    begun_ns : int
        ``time.time_ns()`` when it began.
    """
    if getattr(arguments, "output", None) is None and getattr(arguments, "report", None) is None:
        return "stopped"
    own = getattr(arguments, "kept", None)
    told = finished(arguments, begun_ns) if own is None else own(arguments, begun_ns)
    return f"stopped; {'; '.join(told) or 'nothing was written'}"


def finished(arguments: argparse.Namespace, begun_ns: int) -> list[str]:
    """Return which outputs are complete, those of single classes too, in words."""
    wanted = [path for name in _OUTPUTS if (path := getattr(arguments, name, None)) is not None]
    stem, suffix = split_suffix(wanted[0])
    classes = sorted(wanted[0].parent.glob(f"{escape(stem)}-*{suffix}")) if suffix else []
    return [f"{path} is finished" for path in [*wanted, *classes] if is_new(path, begun_ns)]


def is_new(path: Path, begun_ns: int) -> bool:
    """Return whether a file, or any file in a folder, was written since the command began."""
    files: Iterable[Path] = path.rglob("*") if path.is_dir() else (path,)
    return any(file.is_file() and file.stat().st_mtime_ns >= begun_ns - _CLOCK_NS for file in files)
