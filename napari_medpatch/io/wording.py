"""How sizes are written in sentences."""

from collections.abc import Iterable


def size_text(shape: Iterable[int]) -> str:
    """Return ``"512 × 512 × 133"``."""
    return " × ".join(str(int(n)) for n in shape)


def spacing_text(values: Iterable[float], unit: str = "mm") -> str:
    """Return ``"0.7 × 0.7 × 2.5 mm"``; ``"spacing unknown"`` without values."""
    text = " × ".join(f"{float(v):.5g}" for v in values)
    return f"{text} {unit}" if text else "spacing unknown"


def bytes_text(count: int) -> str:
    """Return ``"3.4 MB"``, or ``"12 kB"`` of less than a megabyte."""
    return f"{count / 1e6:.3g} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"
