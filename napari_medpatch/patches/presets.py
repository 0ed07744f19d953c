"""Named rules of where patches lie and which are looked at."""

from dataclasses import dataclass
from typing import Literal

from napari_medpatch.errors import GeometryError


@dataclass(frozen=True, slots=True)
class Tiling:
    """A published rule of cutting a slide into patches.

    Parameters
    ----------
    name : str
        What settings and the command line call it.
    title : str
        What people call it.
    description : str
        The rule and where it comes from, for a tooltip.
    tissue : str
        Name of the tissue segmentation in :data:`napari_medpatch.patches.tissue_methods.TISSUE_METHODS`.
    cover : str
        ``"centres"``: patches from the top left corner as long as their centre is inside the image.
        ``"corners"``: as long as their first pixel is, so that the whole image is covered.
    tile_px : int, optional
        Edge of a patch in pixels of the model's spacing; by default the model's own patch size.
    downsample : float
        Level-0 pixels per pixel of a tile for models that name no spacing; 1 is the slide's own resolution.
    max_blank : float, optional
        Patches with at least this share of blank are dropped; what lies outside the image is blank. By
        default a patch is taken when its centre lies on tissue.
    """

    name: str
    title: str
    description: str
    tissue: str = "stain"
    cover: Literal["centres", "corners"] = "centres"
    tile_px: int | None = None
    downsample: float = 1.0
    max_blank: float | None = None


WSINFER = Tiling(
    "wsinfer",
    "WSInfer's grid",
    "The model's patch size at its spacing, from the top left corner; a patch is taken when its centre lies on "
    "tissue (Kaczmarzyk et al., npj Precision Oncology 2024). Tissue is found so that pen, grey glass and pale "
    "stains are told apart.",
)

WSINFER_FULL = Tiling(
    "wsinfer-full",
    "WSInfer's grid and tissue",
    "As WSInfer's grid, with its tissue segmentation too (saturation above 7 of 255 on a picture of 2048 pixels, "
    "median filter 7, closing 6, pieces of 200² µm², holes of 190² µm²): together with the exact path this is "
    "WSInfer's own list of patches.",
    tissue="wsinfer",
)

# The tilers that most public notebooks of the Kaggle challenge "Mayo Clinic - STRIP AI" share (J. Borovec's
# "bloodclots" series and its descendants) cut from (0, 0), fill tiles at the edge with black, take black and
# nearly white pixels for background and drop a tile where these are at least a given share.
STRIP = Tiling(
    "strip",
    "STRIP AI's tiles",
    "Tiles of 600 pixels that cover the whole slide; tiles of which 70 % or more are blank (nearly white, black "
    "or outside the slide) are dropped, as in the public notebooks of the Kaggle challenge Mayo Clinic STRIP AI. "
    "Pixels are those of the model's spacing, or the slide's own when the model names none.",
    tissue="not-blank",
    cover="corners",
    tile_px=600,
    max_blank=0.7,
)

TILINGS: dict[str, Tiling] = {tiling.name: tiling for tiling in (WSINFER, WSINFER_FULL, STRIP)}
"""The rules by name."""


def tiling_named(name: str) -> Tiling:
    """Return a rule.

    Raises
    ------
    GeometryError
        If there is none of that name.
    """
    try:
        return TILINGS[name]
    except KeyError:
        raise GeometryError(f"There is no tiling {name!r}; choose one of {', '.join(TILINGS)}.") from None
