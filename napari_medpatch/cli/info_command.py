"""``napari-medpatch info``."""

import argparse
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from napari_medpatch.cli.common import add_source_options, open_one, print_json, print_line

_SHOWN = {"path", "kind", "format", "shape", "axes", "dtype", "levels", "notes"}
_SHOWN |= {"spacing", "spacing_unit", "spacing_origin"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("path", help="slide, photograph or volume; folder of a DICOM series")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    add_source_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Describe one file."""
    from napari_medpatch.io.describe import describe

    with closing(open_one(arguments.path, arguments)) as source:
        facts = describe(source)
    if arguments.json:
        print_json(facts)
    else:
        for line in readable(facts):
            print_line(line)
    return 0


def readable(facts: Mapping[str, Any]) -> list[str]:
    """Return the facts as lines for people.

    Parameters
    ----------
    facts : mapping
        What ``describe`` returns.
    """
    lines = [f"{facts['path']}", f"  kind      {facts['kind']} ({facts['format']})"]
    lines.append(f"  size      {' × '.join(str(n) for n in facts['shape'])} {facts['axes']} {facts['dtype']}")
    if facts["spacing"] is None:
        lines.append("  spacing   unknown; give it with --mpp" if facts["kind"] == "slide" else "  spacing   unknown")
    else:
        values = " × ".join(f"{v:.5g}" for v in facts["spacing"])
        lines.append(f"  spacing   {values} {facts['spacing_unit']} (from {facts['spacing_origin']})")
    for index, level in enumerate(facts["levels"]):
        factor = " × ".join(f"{d:.6g}" for d in level["downsample"])
        made = "  synthetic" if level.get("synthetic") else ""
        lines.append(f"  level {index:<3} {' × '.join(str(n) for n in level['shape'])}  downsample {factor}{made}")
    rest = {key: value for key, value in facts.items() if key not in _SHOWN and value not in (None, [], {}, "")}
    lines += [f"  {key.replace('_', ' ')}: {value}" for key, value in rest.items()]
    return lines + [f"  note: {note}" for note in facts.get("notes", ())]
