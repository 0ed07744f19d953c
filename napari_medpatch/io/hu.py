"""Hounsfield windows that radiologists switch between."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class LevelWidth:
    """A display window as radiologists give it.

    Parameters
    ----------
    level : float
        Value that is shown as middle grey, in HU for CT.
    width : float
        From black to white, in the same unit.
    """

    level: float
    width: float

    @classmethod
    def of_limits(cls, low: float, high: float) -> "LevelWidth":
        """Return the window from ``low`` (black) to ``high`` (white)."""
        return cls((low + high) / 2, high - low)

    @property
    def limits(self) -> tuple[float, float]:
        """Values of black and white."""
        return self.level - self.width / 2, self.level + self.width / 2

    def __str__(self) -> str:
        return f"{self.level:g}/{self.width:g}".replace("-", "−")


HU_PRESETS: Mapping[str, LevelWidth] = MappingProxyType(
    {
        "lung": LevelWidth(-600, 1500),
        "mediastinum": LevelWidth(50, 350),
        "bone": LevelWidth(300, 1500),
        "abdomen": LevelWidth(50, 400),
        "liver": LevelWidth(30, 150),
        "angio": LevelWidth(300, 600),
        "brain": LevelWidth(40, 80),
        "stroke": LevelWidth(40, 40),
        "subdural": LevelWidth(75, 215),
    }
)
"""The usual windows by name; mediastinum is for soft tissue everywhere."""

HU_WINDOWS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {name: window.limits for name, window in HU_PRESETS.items()}
)
"""Display range ``(low, high)`` in HU by name."""

AIR_BELOW = -500.0
"""Only CT has many voxels under this value: air and lung lie near −1000 and −850 HU."""
