"""The mask of a segmentation that is not finished, beside the wanted file."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.cli.write_or_keep import one_file
from napari_medpatch.errors import MedPatchError
from napari_medpatch.events import BlockSegmented, Event, Started

if TYPE_CHECKING:
    from napari_medpatch.io.source import Source

_EVERY_SECONDS = 20.0


def partial_path(output: Path) -> Path:
    """Return where an unfinished mask is kept: a file of the wanted format, NIfTI where that may be several files."""
    return output.with_name(f"partial-{one_file(output)}")


class PartialMask:
    """Keeps a file on disk while the job runs, so that whatever ends it, there is a mask to look at.

    See :func:`partial_path` for its name.

    It is written in a thread, every twenty seconds, each time whole or not at all. A job that ends sooner
    writes none, unless it is stopped.

    Parameters
    ----------
    source : Source
        The image being segmented.
    output : Path
        The wanted file.
    model : str
        For the file's provenance.
    """

    def __init__(self, source: "Source", output: Path, model: str) -> None:
        self.path = partial_path(output)
        self._source = source
        self._model = model
        self._classes: tuple[str, ...] = ()
        self._mask: npt.NDArray[np.uint8] | None = None
        self._covered = 0
        self._written = time.monotonic()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="medpatch-partial")
        self._writing: Future[None] | None = None

    def take(self, event: Event) -> None:
        """Copy a finished block."""
        if isinstance(event, Started):
            self._classes = tuple(event.context["classes"])
            self._mask = np.zeros(event.context["shape"], np.uint8)
        elif isinstance(event, BlockSegmented) and self._mask is not None:
            self._mask[event.box.slices] = event.labels
            self._covered += event.box.size
            self._write_now_and_then()

    def save(self) -> None:
        """Write what there is."""
        self._wait()
        if self._mask is not None and self._covered:
            self._write(self._mask, self._share())

    def remove(self) -> None:
        """Delete the file: the whole mask is written."""
        self._wait()
        with suppress(OSError):
            for path in [self.path, *self.path.parent.glob(f".tmp-*-{self.path.name}")]:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let a write that is under way end."""
        self._writer.shutdown()

    def _write_now_and_then(self) -> None:
        if time.monotonic() - self._written < _EVERY_SECONDS or self._mask is None:
            return
        if self._writing is None or self._writing.done():
            self._writing = self._writer.submit(self._try_to_write, self._mask.copy(), self._share())
            self._written = time.monotonic()

    def _share(self) -> float:
        return min(1.0, self._covered / max(1, self._mask.size)) if self._mask is not None else 0.0

    def _try_to_write(self, mask: npt.NDArray[np.uint8], share: float) -> None:
        """Write; a disk that is full now may have room at the end, so that is no reason to stop."""
        with suppress(MedPatchError):
            self._write(mask, share)

    def _write(self, mask: npt.NDArray[np.uint8], share: float) -> None:
        from napari_medpatch.io.export import write_mask

        record: dict[str, Any] = {"model": self._model, "partial": True, "share_done": round(share, 3)}
        write_mask(mask, self._source, self.path, class_names=self._classes, provenance=record)

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()
