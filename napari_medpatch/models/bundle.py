"""A model as a folder: ``config.json``, ``model.safetensors``, ``README.md`` and, on request, TorchScript.

Our bundles and those of the WSInfer model zoo (Kaczmarzyk et al., npj Precision Oncology 2024) have the
same layout, so each side reads the other's; see :mod:`napari_medpatch.models.card`.
"""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medpatch.errors import BundleError
from napari_medpatch.io.atomic import atomic_folder, check_writable
from napari_medpatch.models.card import SPEC_VERSION, THRESHOLD, ModelCard, card_from_config
from napari_medpatch.models.monai_bundle import is_monai_bundle, monai_card
from napari_medpatch.models.network_facts import check_foreign, network_facts
from napari_medpatch.models.weights_file import WEIGHTS_NAME, file_sha256, fill, read_weights, write_weights

if TYPE_CHECKING:
    import torch
    from torch import nn

    from napari_medpatch.models.foreign import ForeignFile

CONFIG_NAME = "config.json"
README_NAME = "README.md"
_OF_THE_DESKTOP = (".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model on disk.

    Parameters
    ----------
    path : Path
        The folder, or the weights file of a ``timm:`` model.
    card : ModelCard
        What ``config.json`` says.
    weights : Path, optional
        Safetensors file outside a bundle folder (``timm:<name>`` with ``--weights``).
    pretrained : bool
        Let timm load its own weights instead of a file.
    """

    path: Path
    card: ModelCard
    weights: Path | None = None
    pretrained: bool = False

    def load(self, device: "str | torch.device" = "cpu") -> "nn.Module":
        """Build the network and fill in the weights.

        Parameters
        ----------
        device : str or torch.device
            Where to put it.

        Returns
        -------
        torch.nn.Module
            In evaluation mode, float32, gradients off.

        Raises
        ------
        BundleError
            If weights are missing, altered or do not fit ``config.json``.
        """
        foreign = self.foreign
        if foreign is not None:
            from napari_medpatch.models.foreign import load_foreign

            self._check_hash(foreign.path)
            model = load_foreign(foreign, self.path, device)
        else:
            model = self._network().to(device).eval()
        # One by one, because TorchScript modules have no requires_grad_.
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        return model

    @property
    def foreign(self) -> "ForeignFile | None":
        """The network from elsewhere that a segmentation bundle holds, None if it is ours."""
        if not _may_be_foreign(self.path, self.card):
            return None
        from napari_medpatch.models.foreign import foreign_file

        return foreign_file(self.path)

    def weights_hash(self) -> str | None:
        """Return the SHA-256 that identifies the network, None if nothing says it; reads a file from elsewhere."""
        foreign = self.foreign
        return self.card.weights_sha256 if foreign is None else file_sha256(foreign.path)

    def _check_hash(self, path: Path) -> None:
        wanted = self.card.weights_sha256
        if wanted is not None and file_sha256(path) != wanted:
            raise BundleError(f"{path} is not the file whose SHA-256 config.json gives; get the bundle again.")

    def _network(self) -> "nn.Module":
        from napari_medpatch.models.network import build_network

        if self.pretrained:
            return build_network(self.card, pretrained=True)
        file = self.weights or self.path / WEIGHTS_NAME
        if self.weights is None and _uses_torchscript(self.path, self.card):
            from napari_medpatch.models.torchscript import load_torchscript

            return load_torchscript(self.path)
        state = read_weights(file, self.card.weights_sha256)
        model = build_network(self.card)
        if self.weights is not None:
            from napari_medpatch.models.state_names import match_names

            names = match_names(list(model.state_dict()), state)
            state = {new: state[old] for old, new in names.items()}
        fill(model, state, self.card.name)
        return model


def load_bundle(path: str | os.PathLike[str]) -> Bundle:
    """Open a bundle folder; reads JSON only.

    Parameters
    ----------
    path : path-like
        A folder of ours or of the WSInfer zoo, unchanged; a segmentation network from elsewhere with a short
        ``config.json``; or a MONAI bundle.

    Returns
    -------
    Bundle
        Its card is named after the folder.

    Raises
    ------
    BundleError
        If the folder is no bundle, is incomplete, or of a later format.
    """
    folder = Path(path)
    if not (folder / CONFIG_NAME).is_file() and is_monai_bundle(folder):
        return _foreign(folder, monai_card(folder))
    config = _read_config(folder)
    version = config.get("spec_version", SPEC_VERSION)
    if str(version) != SPEC_VERSION:
        raise BundleError(
            f"The bundle {folder} has the format version {version!r}, this version reads {SPEC_VERSION}; update."
        )
    card = replace(card_from_config(config, folder.resolve().name), name=folder.resolve().name)
    if card.architecture == THRESHOLD:
        return Bundle(folder, card)
    if _may_be_foreign(folder, card):
        return _foreign(folder, card)
    if not (folder / WEIGHTS_NAME).is_file() and not _uses_torchscript(folder, card):
        raise BundleError(f"The bundle {folder} has no {WEIGHTS_NAME}; copy the whole bundle folder again.")
    return Bundle(folder, card)


def _foreign(folder: Path, card: ModelCard) -> Bundle:
    """Return a segmentation bundle whose network is not ours."""
    from napari_medpatch.models.foreign import FOREIGN_NAMES, foreign_file

    file = foreign_file(folder)
    if file is None:
        raise BundleError(
            f"The bundle {folder} has no {WEIGHTS_NAME}, and none of {', '.join(FOREIGN_NAMES)} of a model from "
            "elsewhere; copy the whole bundle folder again."
        )
    card = replace(card, architecture=file.kind)
    check_foreign(card)
    network_facts(card)
    return Bundle(folder, card)


def check_bundle_folder(folder: str | os.PathLike[str]) -> None:
    """Raise now what writing a bundle to a folder would raise after hours of work.

    Raises
    ------
    BundleError
        If the folder holds other files than those of a model, which would be lost.
    OutputError
        If it is a file, or cannot be written.
    """
    from napari_medpatch.models.torchscript import TORCHSCRIPT_NAME

    target = Path(folder)
    check_writable(target, folder=True)
    found = {path.name for path in target.iterdir()} if target.is_dir() else set()
    if found - {CONFIG_NAME, README_NAME, TORCHSCRIPT_NAME, WEIGHTS_NAME, *_OF_THE_DESKTOP}:
        raise BundleError(f"{target} holds other files than a model's; choose a new folder for the model.")


def save_bundle(
    folder: str | os.PathLike[str],
    card: ModelCard,
    model: "nn.Module",
    *,
    readme: str | None = None,
    half: bool = False,
    torchscript: bool = False,
) -> Bundle:
    """Write a bundle; the folder is complete or absent, and one of that name is replaced.

    Parameters
    ----------
    folder : path-like
        Its name becomes the model's name.
    card : ModelCard
        Description; ``name`` and ``weights_sha256`` are filled in here.
    model : torch.nn.Module
        The trained network, as :func:`napari_medpatch.models.network.build_network` builds it.
    readme : str, optional
        Model card in Markdown; written from ``card`` by default.
    half : bool
        Store weights as float16 (half the size; :meth:`Bundle.load` gives float32 again).
    torchscript : bool
        Also write ``torchscript_model.pt`` so that WSInfer and QuPath can run it.

    Raises
    ------
    BundleError
        If the network is not the one the card describes, or the folder holds other files than those of a model.
    OutputError
        If the folder cannot be written.
    """
    from napari_medpatch.models.model_readme import readme_of

    target = Path(folder)
    card = replace(card, name=target.resolve().name)
    _check_fits(card, model)
    check_bundle_folder(target)
    with atomic_folder(target) as temporary:
        card = replace(card, weights_sha256=write_weights(temporary / WEIGHTS_NAME, model, half=half))
        if torchscript:
            from napari_medpatch.models.torchscript import save_torchscript

            save_torchscript(temporary, card, model)
        config = json.dumps(card.to_config(), indent=2, ensure_ascii=False, allow_nan=False)
        (temporary / CONFIG_NAME).write_text(config + "\n", encoding="utf-8")
        (temporary / README_NAME).write_text(readme if readme is not None else readme_of(card), encoding="utf-8")
    return Bundle(target, card)


def _read_config(folder: Path) -> dict[str, object]:
    path = folder / CONFIG_NAME
    if not path.is_file():
        raise BundleError(f"{folder} is not a model bundle: it has no {CONFIG_NAME}.")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} cannot be read as JSON ({error}); get the bundle again.") from error
    if not isinstance(config, dict):
        raise BundleError(f"{path} holds {type(config).__name__} where an object is needed; it is not a model bundle.")
    return config


def _may_be_foreign(folder: Path, card: ModelCard) -> bool:
    """Whether a network from elsewhere would count: not in place of weights of ours that are missing."""
    ours = card.architecture == "unet" and card.weights_sha256 is not None
    return card.task.startswith("segment") and not ours and not (folder / WEIGHTS_NAME).is_file()


def is_bundle_folder(folder: Path) -> bool:
    """Return whether a folder looks like a bundle: ours, the zoo's or MONAI's."""
    return (folder / CONFIG_NAME).is_file() or is_monai_bundle(folder)


def _uses_torchscript(folder: Path, card: ModelCard) -> bool:
    """Whether the TorchScript file is what defines the model.

    In zoo bundles it is: their ``architecture`` is a remark that no runtime uses, and a safetensors file
    beside it is optional. Ours record the hash of the safetensors file, which then must be there.
    """
    from napari_medpatch.models.torchscript import TORCHSCRIPT_NAME

    return card.weights_sha256 is None and (folder / TORCHSCRIPT_NAME).is_file()


def _check_fits(card: ModelCard, model: "nn.Module") -> None:
    """Refuse to write a bundle that could not be read back."""
    from napari_medpatch.models.network import build_network
    from napari_medpatch.models.weights_file import mismatch

    wanted = {key: tuple(tensor.shape) for key, tensor in build_network(card).state_dict().items()}
    complaint = mismatch(wanted, {key: tuple(tensor.shape) for key, tensor in model.state_dict().items()})
    if complaint:
        raise BundleError(f"The network of {card.name} is not the one its card describes: {complaint}.")
