"""Hounsfield windows that radiologists switch between."""

from collections.abc import Mapping
from types import MappingProxyType

HU_WINDOWS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "lung": (-1350.0, 150.0),
        "mediastinum": (-125.0, 225.0),
        "bone": (-450.0, 1050.0),
        "brain": (0.0, 80.0),
        "abdomen": (-150.0, 250.0),
    }
)
"""Display range ``(low, high)`` in HU by name; level ± half width of the usual presets (lung −600/1500,
mediastinum 50/350, bone 300/1500, brain 40/80, abdomen 50/400)."""

AIR_BELOW = -500.0
"""Only CT has many voxels under this value: air and lung lie near −1000 and −850 HU."""
