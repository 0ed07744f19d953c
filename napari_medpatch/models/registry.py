"""Models by name: those shipped with the package, those of the user, timm's and the WSInfer zoo's."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_medpatch.errors import BundleError
from napari_medpatch.io.project_folder import user_data_folder
from napari_medpatch.models.bundle import CONFIG_NAME, Bundle, is_bundle_folder, load_bundle
from napari_medpatch.models.monai_config import METADATA

_log = logging.getLogger(__name__)
SHIPPED = Path(__file__).parent / "weights"
TIMM_PREFIX = "timm:"


def user_models_folder() -> Path:
    """Return the folder whose sub-folders are the user's own bundles; it need not exist.

    ``$MEDPATCH_DATA/models`` if that variable is set, else the platform's place for a user's data.
    """
    return user_data_folder() / "models"


def list_models() -> list[Bundle]:
    """Return the bundles that jobs accept by name, sorted by name; reads JSON only.

    A user's bundle hides a shipped one of the same name. Broken bundles are skipped with a log line.
    """
    found: dict[str, Bundle] = {}
    for folder in (SHIPPED, user_models_folder()):
        found |= {bundle.card.name: bundle for bundle in _bundles_in(folder)}
    return [found[name] for name in sorted(found)]


def resolve_model(
    model: str | os.PathLike[str],
    *,
    weights: str | os.PathLike[str] | None = None,
    class_names: Sequence[str] | None = None,
    num_classes: int | None = None,
    patch_size_pixels: int | None = None,
    spacing_um_px: float | None = None,
    pretrained: bool = False,
    download: bool = False,
) -> Bundle:
    """Find a model.

    Parameters
    ----------
    model : str or path-like
        A name from :func:`list_models`, a bundle folder, ``"timm:<name>"``, ``"zoo:<name>"`` for a model of the
        WSInfer zoo, or ``"owner/repo"`` for a repository of the Hugging Face hub.
    weights : path-like, optional
        Safetensors file, for ``timm:`` only.
    class_names : sequence of str, optional
        One per output, for ``timm:`` only.
    num_classes : int, optional
        Outputs, for ``timm:`` only; read from the weights by default.
    patch_size_pixels, spacing_um_px : optional
        How patches are taken, for ``timm:`` only; the network's own input size and no spacing by default.
    pretrained : bool
        Let timm fetch its own weights when no file is given.
    download : bool
        Fetch a model of the zoo or the hub that is not in the hub's cache; otherwise the network is not used.

    Raises
    ------
    BundleError
        If there is no such model, ``timm:`` comes without weights, or a model was not downloaded yet.
    """
    name = os.fspath(model)
    options: dict[str, Any] = {
        "weights": Path(weights) if weights is not None else None,
        "class_names": tuple(class_names) if class_names is not None else None,
        "num_classes": num_classes,
        "patch_size_pixels": patch_size_pixels,
        "spacing_um_px": spacing_um_px,
    }
    if name.startswith(TIMM_PREFIX):
        from napari_medpatch.models.timm_bundle import timm_bundle

        return timm_bundle(name.removeprefix(TIMM_PREFIX), **options, pretrained=pretrained)
    _refuse_timm_options(name, options)
    for folder in (user_models_folder(), SHIPPED):
        if Path(name).name == name and is_bundle_folder(folder / name):
            return load_bundle(folder / name)
    if Path(name).exists():
        return load_bundle(name)
    return _from_the_hub(name, download)


def _from_the_hub(name: str, download: bool) -> Bundle:
    from napari_medpatch.models.zoo import is_zoo_name, zoo_bundle

    if is_zoo_name(name):
        return zoo_bundle(name, download=download)
    known = ", ".join(bundle.card.name for bundle in list_models()) or "none"
    raise BundleError(
        f"There is no model {name!r}; known are {known}, a bundle folder, zoo:<name>, or timm:<name> with weights."
    )


def _bundles_in(folder: Path) -> Iterator[Bundle]:
    found = {path.parent for path in folder.glob(f"*/{CONFIG_NAME}")}
    found |= {path.parent.parent for path in folder.glob(f"*/{METADATA}")}
    for place in sorted(found):
        # A name that begins with a dot is a bundle that was still being written.
        if place.name.startswith("."):
            continue
        try:
            yield load_bundle(place)
        except BundleError as error:
            _log.warning("Skipped a broken model: %s", error)


def _refuse_timm_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuse options that would be ignored: a bundle brings its weights, classes and pixel size."""
    given = [key for key, value in options.items() if value is not None]
    if given:
        raise BundleError(f"{' and '.join(given)} can only be given with timm:<name>; {name!r} brings its own.")
