"""A Hugging Face hub without a network: a cache folder laid out as the hub does, and files to serve."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from napari_medpatch.models.bundle import save_bundle
from napari_medpatch.models.card import ModelCard
from napari_medpatch.models.network import build_network

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BREAST = "kaczmarj/breast-tumor-resnet34.tcga-brca"
WSINFER_KEYS = (
    "spec_version", "architecture", "num_classes", "class_names", "patch_size_pixels", "spacing_um_px", "transform",
)  # fmt: skip
CARD = ModelCard(
    "breast",
    "patch-classifier",
    "mobilenetv2_050",
    ("Other", "Tumor"),
    patch_size_pixels=40,
    spacing_um_px=0.25,
    transform=(
        {"name": "Resize", "arguments": {"size": 32}},
        {"name": "ToTensor"},
        {"name": "Normalize", "arguments": {"mean": [0.5] * 3, "std": [0.5] * 3}},
    ),
)


def zoo_files(folder: Path) -> dict[str, bytes]:
    """The files of a model of the zoo: no safetensors, no key of ours, a README with a licence."""
    torch.manual_seed(0)
    ours = save_bundle(folder / "ours", CARD, build_network(CARD), torchscript=True)
    config = json.loads((ours.path / "config.json").read_text())
    return {
        "config.json": json.dumps({key: config[key] for key in WSINFER_KEYS}).encode(),
        "torchscript_model.pt": (ours.path / "torchscript_model.pt").read_bytes(),
        "README.md": b"---\nlicense: bsd-3-clause\n---\n# Breast tumour\n",
    }


def put(cache: Path, repo: str, name: str, content: bytes, *, revision: str = "main", kind: str = "model") -> Path:
    """Put one file into a cache as the hub's library does; return its path in the snapshot."""
    storage = cache / f"{kind}s--{repo.replace('/', '--')}"
    blob = storage / "blobs" / hashlib.sha256(content).hexdigest()
    link = storage / "snapshots" / COMMIT / name
    for path in (blob, link, storage / "refs" / revision):
        path.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(content)
    if revision != COMMIT:
        (storage / "refs" / revision).write_text(COMMIT)
    link.unlink(missing_ok=True)
    link.symlink_to(Path("../../blobs") / blob.name)
    return link


def put_all(cache: Path, repo: str, files: dict[str, bytes], **options: str) -> Path:
    """Put a whole repository into a cache; return the snapshot folder."""
    paths = [put(cache, repo, name, content, **options) for name, content in files.items()]
    return paths[0].parent


class Hub:
    """Stands in for the network functions of ``huggingface_hub``; notes what was asked of it."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.repos: dict[str, dict[str, bytes]] = {}
        self.failure: Exception | None = None
        self.asked: list[tuple[str, str, str]] = []

    def hf_hub_download(
        self, repo: str, file: str, *, revision: str = "main", repo_type: str = "model", **_: Any
    ) -> str:
        from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError

        self.asked.append((repo, file, revision))
        if self.failure is not None:
            raise self.failure
        if repo not in self.repos:
            raise RepositoryNotFoundError("404", response=response())
        if file not in self.repos[repo]:
            raise EntryNotFoundError(f"404: {file}")
        return str(put(self.cache, repo, file, self.repos[repo][file], revision=revision, kind=repo_type))


def response() -> Any:
    """What the hub's HTTP errors want to look at."""
    return SimpleNamespace(headers={}, request=None)
