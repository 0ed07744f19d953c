"""One model for many slides: loaded once, and sent to other machines as a path."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from napari_medpatch.errors import ClusterError
from napari_medpatch.models.registry import SHIPPED

if TYPE_CHECKING:
    import torch
    from torch import nn

    from napari_medpatch.infer.classify_result import ClassifySettings
    from napari_medpatch.models.bundle import Bundle


class _KeptBundle:
    """A bundle that loads its network once per device."""

    def __init__(self, bundle: "Bundle") -> None:
        self._bundle = bundle
        self._loaded: dict[str, nn.Module] = {}
        self._digest = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bundle, name)

    def load(self, device: "str | torch.device" = "cpu") -> "nn.Module":
        """Return the network, loaded at the first call."""
        key = str(device)
        if key not in self._loaded:
            self._loaded[key] = self._bundle.load(device)
        return self._loaded[key]

    def digest(self) -> str:
        """Return what identifies the model, computed at the first call: large weights take seconds."""
        from napari_medpatch.infer.run_record import model_digest

        self._digest = self._digest or model_digest(self._bundle)
        return self._digest


def digest_of(bundle: "Bundle") -> str:
    """Return what identifies a model."""
    from napari_medpatch.infer.run_record import model_digest

    return bundle.digest() if isinstance(bundle, _KeptBundle) else model_digest(bundle)


def keep_loaded(bundle: "Bundle", settings: "ClassifySettings") -> "Bundle":
    """Return the same model, whose network stays in memory from slide to slide.

    Not for two threads at a time, and not with Monte-Carlo dropout, which alters the network.
    """
    return bundle if settings.mc_dropout else cast("Bundle", _KeptBundle(bundle))


@dataclass(frozen=True, slots=True)
class ModelReference:
    """Where another machine finds a model; holds no weights.

    Parameters
    ----------
    bundle : Bundle
        With absolute paths.
    shipped : str
        Name of a model that comes with the package, whose folder may be another one there; else empty.
    """

    bundle: "Bundle"
    shipped: str = ""


def refer_to(bundle: "Bundle") -> ModelReference:
    """Return what to send to another machine."""
    if bundle.path.parent == SHIPPED:
        return ModelReference(bundle, bundle.path.name)
    weights = bundle.weights.absolute() if bundle.weights is not None else None
    path = bundle.path.absolute() if bundle.path.exists() else bundle.path
    return ModelReference(replace(bundle, path=path, weights=weights))


def open_reference(reference: ModelReference, machine: str) -> "Bundle":
    """Return the model as this machine sees it.

    Parameters
    ----------
    reference : ModelReference
        From :func:`refer_to`.
    machine : str
        Name of this machine, for the message.

    Raises
    ------
    ClusterError
        If its files are not there.
    """
    from napari_medpatch.models.bundle import load_bundle

    if reference.shipped:
        return load_bundle(SHIPPED / reference.shipped)
    bundle = reference.bundle
    needed = [bundle.weights] if bundle.weights is not None else [] if bundle.pretrained else [bundle.path]
    for path in needed:
        if not Path(path).exists():
            raise ClusterError(not_seen(machine, "the model", path))
    return bundle


def not_seen(machine: str, what: str, path: str | os.PathLike[str]) -> str:
    """Return the sentence about a file that a machine cannot see."""
    return (
        f"{machine} cannot see {what} {os.fspath(path)}; slides, model and results must lie in folders that "
        "all workers share under the same path."
    )
