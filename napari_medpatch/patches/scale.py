"""How large a model's patch is in an image."""

from dataclasses import dataclass

from napari_medpatch.errors import BundleError, GeometryError, MissingSpacingError
from napari_medpatch.geometry import Spacing
from napari_medpatch.io.pixel_size import why_unknown
from napari_medpatch.io.source import Source
from napari_medpatch.models.card import ModelCard
from napari_medpatch.patches.presets import Tiling, tiling_named

TASKS = ("patch-classifier", "slide-mil")
"""Models that look at patches."""

_SMALLEST_PATCH = 8
"""A patch of fewer pixels shows nothing: the pixel size or the model is wrong."""


@dataclass(frozen=True, slots=True)
class PatchScale:
    """How large a model's patch is in an image.

    Parameters
    ----------
    patch_px : tuple of int
        Extent in level-0 pixels, ``(y, x)``.
    downsample : float
        Level-0 pixels per pixel at the model's spacing, along the axis where that is smaller.
    note : str
        What the user should know about it, one or two sentences; empty if nothing.
    """

    patch_px: tuple[int, int]
    downsample: float
    note: str = ""


def patch_scale(source: Source, card: ModelCard, *, exact: bool = False, tiling: str = "wsinfer") -> PatchScale:
    """Translate a model's patch size into pixels of an image.

    Parameters
    ----------
    source : Source
        A slide or photograph.
    card : ModelCard
        Of a patch classifier or a slide classifier that looks at patches.
    exact : bool
        Use the mean of the two pixel sizes, as WSInfer does; otherwise each axis has its own.
    tiling : str
        Name of the rule that may fix the size in pixels.

    Raises
    ------
    MissingSpacingError
        If the pixel size of a slide is unknown.
    GeometryError
        If a patch would be only a few pixels wide, or there is no such tiling.
    BundleError
        If the model does not say at which size and spacing it looks.
    """
    rule = tiling_named(tiling)
    size = rule.tile_px or card.patch_size_pixels
    if card.task not in TASKS:
        raise BundleError(f"Model {card.name} is a {card.task} model, not a patch classifier; choose another model.")
    if rule.tile_px is not None and not card.spacing_um_px:
        return _own_pixels(source, card, rule, rule.tile_px)
    if not size or not card.spacing_um_px:
        raise BundleError(
            f"Model {card.name} does not say at which patch size and spacing it looks; "
            "complete patch_size_pixels and spacing_um_px in its config.json."
        )
    if source.spacing is None:
        if source.kind != "photo":
            raise MissingSpacingError(
                f"{why_unknown(source)}, and {card.name} needs "
                f"{card.spacing_um_px:g} µm per pixel; give the size with --mpp or in the field 'Pixel size'."
            )
        note = (
            f"{source.path.name} has no pixel size: patches of {card.name} are {size} × {size} of its own "
            f"pixels, whatever their physical size."
        )
        return PatchScale((size, size), 1.0, note)
    mpp = (source.spacing.mean, source.spacing.mean) if exact else source.spacing.values
    patch = tuple(round(size * card.spacing_um_px / value) for value in mpp)
    if min(patch) < _SMALLEST_PATCH:
        raise GeometryError(
            f"A patch of {card.name} ({size} pixels of {card.spacing_um_px:g} µm) is only {min(patch)} pixels wide "
            f"in {source.path.name} (pixels of {source.spacing.mean:g} µm, from {source.spacing.origin}); "
            "give the real size with --mpp or in the field 'Pixel size'."
        )
    note = _note(source.path.name, card, source.spacing, size)
    return PatchScale((patch[0], patch[1]), card.spacing_um_px / max(mpp), note)


def _own_pixels(source: Source, card: ModelCard, rule: Tiling, tile_px: int) -> PatchScale:
    """Return the size of tiles in pixels of the slide, for models that name no spacing."""
    edge = round(tile_px * rule.downsample)
    note = (
        f"{card.name} names no spacing: tiles are {tile_px} × {tile_px} of {source.path.name}'s own pixels, "
        "whatever their physical size."
    )
    return PatchScale((edge, edge), rule.downsample, note)


def _note(name: str, card: ModelCard, spacing: Spacing, size: int) -> str:
    notes = []
    wanted = card.spacing_um_px or spacing.mean
    if spacing.mean > 1.5 * wanted:
        notes.append(
            f"{name} is coarser ({spacing.mean:g} µm per pixel) than {card.name} expects "
            f"({wanted:g} µm): patches are enlarged and scores less certain."
        )
    if card.patch_size_pixels and size != card.patch_size_pixels:
        notes.append(
            f"Tiles are {size} pixels wide and {card.name} was made for {card.patch_size_pixels}: it sees them "
            "at another size than it learned, and scores are less certain."
        )
    return " ".join(notes)
