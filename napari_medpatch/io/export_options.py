"""What the user may choose about a file to write, besides its format."""

from dataclasses import dataclass

from napari_medpatch.errors import SettingsError
from napari_medpatch.io.hu import HU_WINDOWS

MESH_SPACES = ("lps", "ras")
MADE_BY = ("automatic", "semiautomatic", "manual")
SMOOTHING_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How to write a result; each option concerns the formats that it names.

    Parameters
    ----------
    per_class : bool
        One file per class, named ``<name>-<class><suffix>``, value 1 in each. STL always does so.
    mesh_space : {"lps", "ras"}
        STL, PLY: world axes of the vertices, in mm. LPS is DICOM's and what 3D Slicer takes such files for.
    smooth : int
        STL, PLY: rounds of Taubin's smoothing; 0 keeps the steps of the voxels.
    window : tuple of float or None
        PNG series of an image: the values that become black and white, 8 bit. None writes 16 bit, every value kept.
    axis : int
        PNG series: the axis along which slices are cut, 0 axial, 1 coronal, 2 sagittal.
    coloured : bool
        PNG series of a mask: a palette with the colours of the classes; the values stay what they are.
    made_by : {"automatic", "semiautomatic", "manual"} or None
        DICOM-SEG: how the mask was made; None tells it by the provenance.

    Raises
    ------
    SettingsError
        If one is out of range.
    """

    per_class: bool = False
    mesh_space: str = "lps"
    smooth: int = SMOOTHING_ROUNDS
    window: tuple[float, float] | None = None
    axis: int = 0
    coloured: bool = False
    made_by: str | None = None

    def __post_init__(self) -> None:
        if self.mesh_space not in MESH_SPACES:
            raise SettingsError(f"A mesh lies in lps or ras, not {self.mesh_space!r}.")
        if not 0 <= self.smooth <= 200:
            raise SettingsError(f"Rounds of smoothing are 0 to 200, not {self.smooth}.")
        if self.axis not in (0, 1, 2):
            raise SettingsError(f"Slices are cut along axis 0, 1 or 2, not {self.axis}.")
        if self.made_by is not None and self.made_by not in MADE_BY:
            raise SettingsError(f"A mask is made automatic, semiautomatic or manual, not {self.made_by!r}.")
        if self.window is not None and not self.window[0] < self.window[1]:
            raise SettingsError(f"A window needs a low and a higher value, not {self.window[0]:g},{self.window[1]:g}.")


def window_of(text: str) -> tuple[float, float]:
    """Read a window: a preset's name, or the values of black and white.

    Parameters
    ----------
    text : str
        ``"lung"``, … or ``"-1350,150"``.

    Raises
    ------
    SettingsError
        If it is neither.
    """
    if text in HU_WINDOWS:
        return HU_WINDOWS[text]
    low, _, high = text.partition(",")
    try:
        return float(low), float(high)
    except ValueError:
        presets = ", ".join(HU_WINDOWS)
        raise SettingsError(f"{text!r} is no window; give {presets}, or two values such as -1350,150.") from None
