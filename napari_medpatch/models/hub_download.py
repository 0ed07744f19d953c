"""Downloading a bundle as a job that shows how far it is and can be stopped."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_medpatch.errors import BundleError
from napari_medpatch.events import Event, Finished, Job, Noted, Started, Working
from napari_medpatch.models.hub import HubName, hub_cache, storage_folder

_POLL_SECONDS = 0.1
_MB = 1e6


def download_bundle(name: HubName) -> Job:
    """Download a repository into the hub's cache, in a process of its own.

    A job: closing it ends the download; files that have arrived are kept.

    Parameters
    ----------
    name : HubName
        Which.

    Yields
    ------
    Event
        :class:`Working` in MB; the result of :class:`Finished` is the snapshot folder.

    Raises
    ------
    BundleError
        If it fails; the sentence says why.
    """
    yield Noted(f"Asking the Hugging Face hub for {name}…")
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "said.jsonl"
        with _worker(name, said) as process:
            yield from _progress(name, process, said)
        yield Finished(_outcome(name, _messages(said)))


@contextmanager
def _worker(name: HubName, said: Path) -> "Iterator[subprocess.Popen[bytes]]":
    """Start the download; it is gone when the block ends."""
    command = [sys.executable, "-m", "napari_medpatch.models.hub_fetch", f"{name.repo}@{name.revision}"]
    environment = os.environ | {"HF_HUB_CACHE": str(hub_cache()), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    with (
        said.open("wb") as out,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def _progress(name: HubName, process: "subprocess.Popen[bytes]", said: Path) -> Iterator[Event]:
    """Yield events until the process has ended."""
    before, begun = _megabytes(name), False
    while process.poll() is None:
        if not begun and "bytes" in _messages(said):
            begun = True
            total = int(_messages(said)["bytes"]) / _MB
            yield Started(max(1, round(total)), "MB")
        yield Working(max(0.0, _megabytes(name) - before))
        time.sleep(_POLL_SECONDS)


def _outcome(name: HubName, messages: dict[str, Any]) -> Path:
    """Return the folder, or raise what the process said."""
    if "folder" in messages:
        return Path(messages["folder"])
    reason = messages.get("error", f"The download of {name} ended without a word; try again.")
    raise BundleError(str(reason))


def _messages(said: Path) -> dict[str, Any]:
    """Return what the process has reported, as one object; lines that are no JSON are warnings of libraries."""
    found: dict[str, Any] = {}
    for line in said.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("{") and line.endswith("}"):
            found |= json.loads(line)
    return found


def _megabytes(name: HubName) -> float:
    """Return how much of a repository lies in the cache, parts of files included."""
    total = 0
    for folder, _, files in os.walk(storage_folder(name) / "blobs"):
        for file in files:
            try:
                total += os.lstat(os.path.join(folder, file)).st_size
            except FileNotFoundError:  # renamed since it was listed
                continue
    return total / _MB
