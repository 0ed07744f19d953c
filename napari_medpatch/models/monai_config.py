"""The JSON files of a MONAI bundle, read as data: nothing in them is ever evaluated or imported.

A MONAI config may hold Python after a ``$`` and names of classes after ``_target_``. Here only literals count, and
references (``@id``, ``@id#key``) to literals elsewhere in the file.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from napari_medpatch.errors import BundleError

METADATA = "configs/metadata.json"
INFERENCE = "configs/inference.json"
_DEPTH = 8


def read_monai_json(path: Path) -> dict[str, Any]:
    """Read one of the files.

    Raises
    ------
    BundleError
        If it is missing or no JSON object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if path.with_suffix(".yaml").is_file():
            raise BundleError(f"The MONAI bundle has {path.with_suffix('.yaml').name}; only JSON is read.") from error
        raise BundleError(f"The MONAI bundle lacks {path}; copy the whole bundle again.") from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read as JSON ({error}); get the bundle again.") from error
    if not isinstance(values, dict):
        raise BundleError(f"{path} holds {type(values).__name__} where an object is needed; get the bundle again.")
    return values


def literal(config: Mapping[str, Any], value: Any, depth: int = 0) -> Any:
    """Return a value with its references replaced.

    Raises
    ------
    BundleError
        If an expression, an object to be built, or a reference to nothing remains.
    """
    if depth > _DEPTH:
        raise BundleError(f"A MONAI config refers to itself in {value!r}; mend its inference.json.")
    if isinstance(value, str):
        if value.startswith("$"):
            raise BundleError(f"The MONAI config holds the expression {value!r}, which is never evaluated.")
        return literal(config, _look_up(config, value), depth + 1) if value.startswith("@") else value
    if isinstance(value, Mapping):
        if "_target_" in value:
            raise BundleError(f"The MONAI config builds {value['_target_']!r} where a plain value is needed.")
        return {str(key): literal(config, each, depth + 1) for key, each in value.items()}
    if isinstance(value, list):
        return [literal(config, each, depth + 1) for each in value]
    return value


def steps(config: Mapping[str, Any], key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield class name and raw arguments of each transform of a ``Compose``, nested ones included."""
    yield from _steps(config, config.get(key, {}), 0)


def target(entry: Mapping[str, Any]) -> str:
    """Return the last part of an entry's ``_target_``."""
    return str(entry.get("_target_", "")).rpartition(".")[2]


def _steps(config: Mapping[str, Any], entry: Any, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(entry, str) and entry.startswith("@") and depth <= _DEPTH:
        entry = _look_up(config, entry)
    if isinstance(entry, list):
        for each in entry:
            yield from _steps(config, each, depth + 1)
        return
    if not isinstance(entry, Mapping) or depth > _DEPTH:
        raise BundleError(f"The MONAI config describes its transforms by {entry!r}, which is never evaluated.")
    if entry.get("_disabled_") is True:
        return
    if target(entry) == "Compose":
        yield from _steps(config, entry.get("transforms", []), depth + 1)
    elif entry:
        yield target(entry), {str(k): v for k, v in entry.items() if not str(k).startswith("_")}


def _look_up(config: Mapping[str, Any], reference: str) -> Any:
    """Return what ``@a#b#0`` or ``@a::b::0`` stands for."""
    found: Any = config
    for part in reference.removeprefix("@").replace("::", "#").split("#"):
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise BundleError(f"The MONAI config refers to {reference!r}, which it does not hold.") from error
    return found
