"""Bundles of the WSInfer model zoo, and of any other repository on the Hugging Face hub, by name.

A model of the zoo is TorchScript, that is a program as well as weights: by naming it the user chooses to
run it. Nothing is downloaded unless asked for; what was downloaded once works without a network.
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_medpatch.errors import BundleError
from napari_medpatch.events import Finished, Job
from napari_medpatch.models.bundle import README_NAME, Bundle, load_bundle
from napari_medpatch.models.hub import (
    HubName,
    cached_bundle_folder,
    checked_sha256,
    is_hub_name,
    parse_hub_name,
)
from napari_medpatch.models.torchscript import TORCHSCRIPT_NAME
from napari_medpatch.models.weights_file import WEIGHTS_NAME
from napari_medpatch.models.zoo_list import ZooModel, list_zoo

__all__ = ["ZOO_PREFIX", "ZooModel", "download_model", "is_zoo_name", "list_zoo", "zoo_bundle"]

ZOO_PREFIX = "zoo:"
_LICENCE = re.compile(r"^licen[cs]e:\s*[\"']?([^\s\"'#]+)", re.MULTILINE)


def is_zoo_name(name: str) -> bool:
    """Return whether a name is ``zoo:<registered name>`` or has the form ``owner/repo[@revision]``."""
    return name.startswith(ZOO_PREFIX) or is_hub_name(name)


def zoo_bundle(name: str, *, download: bool = False) -> Bundle:
    """Find a model of the zoo or of the hub.

    Parameters
    ----------
    name : str
        ``"zoo:<registered name>"`` or ``"owner/repo"``, either with ``@revision``.
    download : bool
        Fetch it if it is not in the hub's cache; without it the network is never used.

    Returns
    -------
    Bundle
        Its card has the registered name; ``card.origin`` records repository, revision, commit and the hash
        of the weights.

    Raises
    ------
    BundleError
        If there is no such model, it was not downloaded yet, or the download fails.
    """
    title, hub = _locate(name)
    folder = cached_bundle_folder(hub)
    if folder is None and download:
        from napari_medpatch.models.hub_fetch import fetch_bundle

        folder = fetch_bundle(hub)
    if folder is None:
        raise BundleError(_not_here(name))
    return _with_origin(load_bundle(folder), title, hub)


def download_model(name: str) -> Job:
    """Download a model: a job whose result is its bundle; see :func:`zoo_bundle` for names and errors."""
    from napari_medpatch.models.hub_download import download_bundle

    title, hub = _locate(name)
    for event in download_bundle(hub):
        yield Finished(_with_origin(load_bundle(event.result), title, hub)) if isinstance(event, Finished) else event


def _locate(name: str) -> tuple[str, HubName]:
    """Return the name to show and where the model lies."""
    if not name.startswith(ZOO_PREFIX):
        return name, parse_hub_name(name)
    title, _, revision = name.removeprefix(ZOO_PREFIX).partition("@")
    models = {model.name: model for model in list_zoo()}
    if title not in models:
        raise BundleError(
            f"The WSInfer zoo has no model {title!r}; 'napari-medpatch models --zoo' lists it, with --download anew."
        )
    hub = models[title].hub
    return title, parse_hub_name(f"{hub.repo}@{revision}") if revision else hub


def _not_here(name: str) -> str:
    lead = f"Model {name} was not downloaded yet"
    if not name.startswith(ZOO_PREFIX):
        lead = f"{name} is neither a model here nor a repository of the Hugging Face hub that was downloaded"
    return f"{lead}; fetch it with 'napari-medpatch models --download {name}' or with Download in the list of models."


def _with_origin(bundle: Bundle, title: str, hub: HubName) -> Bundle:
    """Record where a bundle came from, and its licence if its README says it."""
    weights = TORCHSCRIPT_NAME if (bundle.path / TORCHSCRIPT_NAME).is_file() else WEIGHTS_NAME
    origin: dict[str, Any] = {
        "hub": "huggingface.co",
        "repo": hub.repo,
        "revision": hub.revision,
        "commit": bundle.path.name,
        "sha256": {weights: checked_sha256(bundle.path / weights)},
    }
    licence = bundle.card.licence if bundle.card.licence != "unknown" else _licence(bundle.path / README_NAME)
    return replace(bundle, card=replace(bundle.card, name=title, licence=licence, origin=origin))


def _licence(readme: Path) -> str:
    """Return the licence in a README's front matter, ``"unknown"`` without one."""
    text = readme.read_text(encoding="utf-8", errors="replace") if readme.is_file() else ""
    front = text.split("---", 2)[1] if text.startswith("---") and text.count("---") > 1 else ""
    match = _LICENCE.search(front)
    return match[1] if match else "unknown"
