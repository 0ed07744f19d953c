"""Careful access to DICOM elements: absent, empty and malformed ones are None, never an exception."""

from collections.abc import Sequence
from typing import Any


def text(dataset: Any, name: str) -> str:
    """Return an element as text, several values joined by a backslash; ``""`` if there is none."""
    value = _value(dataset, name)
    if value is None:
        return ""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return str(value).strip()
    return "\\".join(str(part).strip() for part in value)


def number(dataset: Any, name: str) -> float | None:
    """Return an element as a finite number; of several values the first."""
    found = numbers(dataset, name)
    return found[0] if found else None


def length(dataset: Any, name: str) -> float | None:
    """Return an element as a length; 0 says nothing, nor does the minus sign that some programs write."""
    found = number(dataset, name)
    return abs(found) if found else None


def whole(dataset: Any, name: str, default: int = 0) -> int:
    """Return an element as a whole number."""
    found = number(dataset, name)
    return default if found is None else int(found)


def numbers(dataset: Any, name: str, count: int | None = None) -> tuple[float, ...] | None:
    """Return an element as finite numbers, None unless there are ``count`` (or at least one)."""
    value = _value(dataset, name)
    if value is None or isinstance(value, bytes):
        return None
    parts = [value] if isinstance(value, str) or not isinstance(value, Sequence) else list(value)
    try:
        found = tuple(float(part) for part in parts)
    except (TypeError, ValueError):
        return None
    finite = all(abs(part) < float("inf") for part in found)
    return found if finite and (len(found) == count if count is not None else found) else None


def item(dataset: Any, name: str, index: int = 0) -> Any:
    """Return an item of a sequence; None if there is none."""
    sequence = _value(dataset, name)
    if isinstance(sequence, Sequence) and not isinstance(sequence, str | bytes) and len(sequence) > index:
        return sequence[index]
    return None


def _value(dataset: Any, name: str) -> Any:
    if dataset is None:
        return None
    try:
        value = dataset.get(name)
    except (ValueError, TypeError, KeyError, NotImplementedError, AttributeError, OverflowError):
        return None  # the element is there, but its bytes are not what its type asks for
    return None if value is None or (isinstance(value, str) and not value.strip()) else value
