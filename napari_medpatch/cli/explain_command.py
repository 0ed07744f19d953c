"""``napari-medpatch explain``."""

import argparse
import difflib
import math
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medpatch.cli.common import (
    add_device_options,
    add_model_options,
    add_source_options,
    open_one,
    print_json,
    print_line,
    resolve,
)
from napari_medpatch.cli.progress import consume
from napari_medpatch.errors import BundleError, OutputError
from napari_medpatch.geometry import Box

if TYPE_CHECKING:
    from napari_medpatch.io.source import Source
    from napari_medpatch.models.bundle import Bundle
    from napari_medpatch.patches.roi import Region


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("path", help="slide or photograph")
    add_model_options(parser)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--region", type=_region, metavar="X,Y,W,H", help="in level-0 pixels (default: the whole image)")
    where.add_argument("--roi", type=Path, metavar="FILE.geojson", help="polygons to explain, as QuPath exports them")
    parser.add_argument(
        "--class", dest="class_name", metavar="NAME", help="default: what the model sees in the middle of the region"
    )
    parser.add_argument("--layer", metavar="NAME", help="layer of the network (default: the last one with positions)")
    parser.add_argument(
        "-o", "--output", required=True, type=Path, metavar="OUT.ome.tiff", help="map of values, 0 to 1"
    )
    parser.add_argument("--everywhere", action="store_true", help="explain glass too, not only tissue")
    parser.add_argument("--json", action="store_true", help="print the run record")
    add_source_options(parser)
    add_device_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Explain a region of one image and write the map."""
    from napari_medpatch.infer.explain import ExplainSettings, explain

    if not arguments.output.name.lower().endswith((".ome.tiff", ".ome.tif", ".tiff", ".tif")):
        raise OutputError(f"{arguments.output} was not written: the map is an OME-TIFF; name it …ome.tiff.")
    bundle = resolve(arguments)
    chosen = class_number(bundle, arguments.class_name) if arguments.class_name is not None else None
    with closing(open_one(arguments.path, arguments)) as source:
        region, roi = where_to_look(source, arguments.region, arguments.roi)
        settings = ExplainSettings(device=arguments.device, layer=arguments.layer, everywhere=arguments.everywhere)
        job = explain(source, bundle, region, settings=settings, class_index=chosen, roi=roi, out=arguments.output)
        result = consume(job, Path(arguments.path).name, quiet=arguments.quiet)
    if arguments.json:
        print_json({"output": str(arguments.output), **result.provenance})
    else:
        print_line(f"explained {result.class_name} at layer {result.layer}")
        print_line(f"wrote {arguments.output}")
    return 0


def class_number(bundle: "Bundle", name: str) -> int:
    """Return the index of a class by its name, whatever its case."""
    names = [known.casefold() for known in bundle.card.class_names]
    if name.casefold() in names:
        return names.index(name.casefold())
    close = difflib.get_close_matches(name.casefold(), names, n=1)
    hint = (
        f"did you mean {bundle.card.class_names[names.index(close[0])]}?"
        if close
        else "they are " + ", ".join(bundle.card.class_names)
    )
    raise BundleError(f"{bundle.card.name} has no class {name!r}; {hint}")


def where_to_look(source: "Source", region: Box | None, roi: Path | None) -> "tuple[Box, Region | None]":
    """Return the box to explain and the polygons in it."""
    whole = Box.whole(source.levels[0].shape)
    if roi is None:
        return region or whole, None
    from napari_medpatch.patches.roi import region_from_geojson

    polygons = region_from_geojson(roi)
    y0, x0, y1, x1 = polygons.bounds
    return Box((math.floor(y0), math.floor(x0)), (math.ceil(y1), math.ceil(x1))), polygons


def _region(text: str) -> Box:
    """Read ``X,Y,W,H``."""
    try:
        x, y, width, height = (int(part) for part in text.split(","))
    except ValueError:
        width = height = 0
        x = y = 0
    if width < 1 or height < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a region X,Y,W,H in pixels such as 1000,2000,4096,4096")
    return Box((y, x), (y + height, x + width))
