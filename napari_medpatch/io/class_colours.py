"""Colours of classes: the same in the window, in meshes, in Slicer's files and in DICOM."""

from collections.abc import Sequence

# Okabe & Ito's palette without black: told apart with every kind of colour blindness. Grey is background.
PALETTE = ("#999999", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")

Rgb = tuple[int, int, int]


def class_colour(value: int, chosen: Sequence[str] = ()) -> Rgb:
    """Return the colour of a mask value.

    Parameters
    ----------
    value : int
        1, 2, …; the palette repeats after seven.
    chosen : sequence of str
        ``#rrggbb`` of the values 1, 2, …, where the user chose them; empty text is the palette's colour.
    """
    own = chosen[value - 1] if 0 < value <= len(chosen) else ""
    text = own or PALETTE[1 + (value - 1) % (len(PALETTE) - 1)]
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)
