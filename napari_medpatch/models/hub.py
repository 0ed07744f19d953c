"""Models on the Hugging Face hub: their names, and what of them lies in the hub's local cache.

Nothing here touches the network. The layout of the cache (``models--owner--name/refs/<revision>`` names a
commit, ``snapshots/<commit>/`` holds its files) is documented by ``huggingface_hub``; it is read directly
because importing the whole library would cost the window a quarter of a second each time it opens.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from napari_medpatch.errors import BundleError
from napari_medpatch.models.bundle import CONFIG_NAME
from napari_medpatch.models.torchscript import TORCHSCRIPT_NAME
from napari_medpatch.models.weights_file import WEIGHTS_NAME, file_sha256

_WORD = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_NAME = re.compile(rf"(?P<repo>{_WORD}/{_WORD})(?:@(?P<revision>{_WORD}(?:/{_WORD})*))?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class HubName:
    """A repository at a revision.

    Parameters
    ----------
    repo : str
        ``"owner/name"``.
    revision : str
        Branch, tag or commit.
    kind : str
        ``"model"`` or ``"dataset"``.
    """

    repo: str
    revision: str = "main"
    kind: str = "model"

    def __str__(self) -> str:
        return self.repo if self.revision == "main" else f"{self.repo}@{self.revision}"


def is_hub_name(text: str) -> bool:
    """Return whether a text has the form ``owner/name`` or ``owner/name@revision``."""
    return _NAME.fullmatch(text) is not None


def parse_hub_name(text: str) -> HubName:
    """Read ``owner/name[@revision]``.

    Raises
    ------
    BundleError
        If it is not of that form.
    """
    match = _NAME.fullmatch(text)
    if match is None:
        raise BundleError(f"{text!r} is not the name of a Hugging Face repository; it has the form owner/name.")
    return HubName(match["repo"], match["revision"] or "main")


def hub_cache() -> Path:
    """Return the hub's cache folder, which ``HF_HOME`` and ``HF_HUB_CACHE`` move; it need not exist."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def storage_folder(name: HubName) -> Path:
    """Return the folder of the cache that keeps a repository."""
    return hub_cache() / f"{name.kind}s--{name.repo.replace('/', '--')}"


def snapshot_folder(name: HubName) -> Path | None:
    """Return the folder with the files of a revision, None if nothing of it was downloaded.

    Its name is the commit.
    """
    storage = storage_folder(name)
    reference = storage / "refs" / name.revision
    commit = reference.read_text(encoding="utf-8").strip() if reference.is_file() else name.revision
    folder = storage / "snapshots" / commit
    return folder if commit and folder.is_dir() else None


def cached_bundle_folder(name: HubName) -> Path | None:
    """Return the snapshot of a repository if it is a whole bundle; the same the hub gives without network."""
    folder = snapshot_folder(name)
    return folder if folder is not None and is_whole(folder) else None


def is_whole(folder: Path) -> bool:
    """Return whether a folder has a description and weights; a broken link counts as missing."""
    weights = any((folder / file).is_file() for file in (TORCHSCRIPT_NAME, WEIGHTS_NAME))
    return weights and (folder / CONFIG_NAME).is_file()


def checked_sha256(path: Path) -> str:
    """Return the SHA-256 of a file of the cache.

    Raises
    ------
    BundleError
        If the cache says that it should be another: the hub names large files by their hash.
    """
    blob = path.resolve()
    status = blob.stat()
    found = _sha256(blob, status.st_size, status.st_mtime_ns)
    if _SHA256.fullmatch(blob.name) and found != blob.name:
        raise BundleError(
            f"{path.name} of {path.parent.parent.parent.name} is damaged (SHA-256 {found[:12]}… instead of "
            f"{blob.name[:12]}…); delete {path.parent.parent.parent} and download it again."
        )
    return found


@lru_cache(maxsize=32)
def _sha256(path: Path, size: int, changed: int) -> str:
    """Hash a file once for each of its states."""
    return file_sha256(path)
