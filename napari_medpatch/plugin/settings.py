"""The plugin's preferences, as napari keeps and shows them (Preferences > MedPatch)."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

PLUGIN = "napari-medpatch"

_fallback: dict[str, SimpleNamespace] = {}
"""Defaults of the manifest, used where the plugin is not registered with napari (scripts, tests)."""


def preference(section: str, key: str) -> Any:
    """Return one value.

    Parameters
    ----------
    section, key : str
        As under ``configurations`` in ``napari.yaml``.
    """
    return getattr(_section(section), key)


def keep(section: str, key: str, value: Any) -> None:
    """Store one value; napari writes it to disk at once."""
    target = _section(section)
    if getattr(target, key) != value:
        setattr(target, key, value)


def _section(name: str) -> Any:
    from napari.settings import get_plugin_settings

    try:
        return getattr(get_plugin_settings(PLUGIN), name)
    except KeyError:
        if not _fallback:
            _fallback.update(_manifest_defaults())
        return _fallback[name]


def _manifest_defaults() -> dict[str, SimpleNamespace]:
    from npe2 import PluginManifest

    import napari_medpatch

    manifest = PluginManifest.from_file(Path(napari_medpatch.__file__).with_name("napari.yaml"))
    return {
        name: SimpleNamespace(**{key: item.default for key, item in section.properties.items()})
        for name, section in (manifest.contributions.configurations or {}).items()
    }
