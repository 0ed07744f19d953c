"""What the WSInfer model zoo offers: a list in this package, and the zoo's own registry once downloaded.

Kaczmarzyk et al., *Open and reusable deep learning for pathology with WSInfer and QuPath*, npj Precision
Oncology 2024. The registry is a JSON file in a data set on the Hugging Face hub,
``{"models": {name: {"description", "hf_repo_id", "hf_revision"}}}``.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_medpatch.errors import BundleError
from napari_medpatch.models.hub import HubName, cached_bundle_folder, is_hub_name, snapshot_folder

_log = logging.getLogger(__name__)
REGISTRY = HubName("kaczmarj/wsinfer-model-zoo-json", kind="dataset")
REGISTRY_FILE = "wsinfer-zoo-registry.json"


@dataclass(frozen=True, slots=True)
class ZooModel:
    """A model of the zoo.

    Parameters
    ----------
    name : str
        Registered name; jobs take it as ``zoo:<name>``.
    hub : HubName
        Where it lies.
    description : str
        One line.
    class_names : tuple of str
        As published, to choose by; once downloaded, those of its ``config.json`` count. May be empty.
    patch_size_pixels, spacing_um_px : optional
        What a patch is; None if only the registry knows the model.
    """

    name: str
    hub: HubName
    description: str = ""
    class_names: tuple[str, ...] = ()
    patch_size_pixels: int | None = None
    spacing_um_px: float | None = None

    @property
    def cached(self) -> bool:
        """Whether it can be used without a network."""
        return cached_bundle_folder(self.hub) is not None


def _published(name: str, description: str, classes: str, patch: int, spacing: float) -> ZooModel:
    return ZooModel(name, HubName(f"kaczmarj/{name}"), description, tuple(classes.split("|")), patch, spacing)


PUBLISHED = (
    _published("breast-tumor-resnet34.tcga-brca", "Breast tumour", "Other|Tumor", 350, 0.25),
    _published(
        "colorectal-resnet34.penn", "Colorectal tissue", "epithelium|stroma|tumour|necrosis|dysplasia", 350, 0.25
    ),
    _published(
        "colorectal-tiatoolbox-resnet50.kather100k",
        "Colorectal tissue",
        "background|normal mucosa|debris|adenocarcinoma epithelium|adipose|mucus|smooth muscle|stroma|lymphocytes",
        224,
        0.5,
    ),
    _published(
        "lung-tumor-resnet34.tcga-luad",
        "Growth patterns of lung adenocarcinoma",
        "Lepidic|Benign|Acinar|Micropapillary|Mucinous|Solid",
        350,
        0.5,
    ),
    _published("lymphnodes-tiatoolbox-resnet50.patchcamelyon", "Metastases in lymph nodes", "nomets|mets", 96, 1.0),
    _published("pancancer-lymphocytes-inceptionv4.tcga", "Lymphocytes in many cancers", "Other|Lymphocytes", 100, 0.5),
    _published("pancreas-tumor-preactresnet34.tcga-paad", "Pancreatic tumour", "Tumor", 350, 1.5),
    _published("prostate-tumor-resnet34.tcga-prad", "Grades of prostate tumour", "Grade3|Grade4or5|Benign", 175, 0.5),
)
"""The models published by 2024, so that they can be offered without a network."""


def list_zoo(*, download: bool = False) -> list[ZooModel]:
    """Return the zoo's models by name.

    Parameters
    ----------
    download : bool
        Fetch the registry anew; otherwise the last one downloaded is read, if any, and no network is used.

    Returns
    -------
    list of ZooModel
        Those of the registry and those known to this package.

    Raises
    ------
    BundleError
        If the registry cannot be downloaded, or is not a registry.
    """
    path = _downloaded_registry() if download else _cached_registry()
    known = {model.name: model for model in PUBLISHED}
    if path is not None:
        try:
            registered = read_registry(path)
        except BundleError as error:
            if download:
                raise
            _log.warning("Skipped the registry of the zoo: %s", error)
        else:
            for model in registered:
                facts = known.get(model.name, model)
                known[model.name] = replace(facts, hub=model.hub, description=model.description)
    return [known[name] for name in sorted(known)]


def read_registry(path: Path) -> list[ZooModel]:
    """Read a registry file.

    Raises
    ------
    BundleError
        If it is not one.
    """
    try:
        models = json.loads(path.read_text(encoding="utf-8"))["models"]
        return [_registered(name, entry) for name, entry in models.items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{path} is not a registry of the WSInfer zoo ({error!r}); download it again.") from error


def _registered(name: str, entry: Mapping[str, Any]) -> ZooModel:
    repo, revision = str(entry["hf_repo_id"]), str(entry["hf_revision"])
    if not is_hub_name(f"{repo}@{revision}"):
        raise ValueError(f"{repo}@{revision} is no repository")
    return ZooModel(str(name), HubName(repo, revision), str(entry["description"]))


def _cached_registry() -> Path | None:
    folder = snapshot_folder(REGISTRY)
    path = folder / REGISTRY_FILE if folder is not None else None
    return path if path is not None and path.is_file() else None


def _downloaded_registry() -> Path:
    from napari_medpatch.models.hub_fetch import fetch_file

    return fetch_file(REGISTRY, REGISTRY_FILE)
