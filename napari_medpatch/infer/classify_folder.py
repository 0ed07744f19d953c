"""Classify a folder of patch-sized images."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_medpatch.errors import BundleError, DamagedFileError, MedPatchError
from napari_medpatch.events import Event, Finished, Job, Noted, PatchesScored, Started
from napari_medpatch.infer.classify_result import DEFAULTS, ClassifySettings
from napari_medpatch.infer.feed import Feed
from napari_medpatch.infer.folder_images import find_images, network_sized
from napari_medpatch.infer.run_record import describe_model, digest, plain, versions
from napari_medpatch.infer.score_store import Keys, ScoreStore, read_record
from napari_medpatch.io.atomic import check_writable, write_json
from napari_medpatch.io.photo_file import read_photo
from napari_medpatch.io.score_csv import read_image_scores, write_image_scores
from napari_medpatch.io.scores import ImageScores

if TYPE_CHECKING:
    from napari_medpatch.models.bundle import Bundle

_CHUNK = 16


@dataclass(frozen=True, slots=True, eq=False)
class FolderResult:
    """Scores of the images of a folder.

    Parameters
    ----------
    scores : ImageScores
        Of the readable images, in the order of their paths.
    unreadable : tuple of str
        Images that were left out.
    files : tuple of Path
        ``scores.csv`` and the record of the run, ``scores.json``.
    provenance : mapping
        JSON-serialisable record of the run.
    """

    scores: ImageScores
    unreadable: tuple[str, ...]
    files: tuple[Path, ...]
    provenance: dict[str, Any] = field(default_factory=dict)


def classify_folder(
    folder: Path | str, bundle: "Bundle", settings: ClassifySettings = DEFAULTS, *, out: Path | str
) -> Job:
    """Score every image of a folder and its sub-folders with a patch classifier.

    Parameters
    ----------
    folder : path-like
        Images of any size; each is resized as a whole to what the network sees.
    bundle : Bundle
        A patch classifier.
    settings : ClassifySettings
        Device, precision, batch size, threads and resume are used.
    out : path-like
        Folder of ``scores.csv`` (``file,prob_<class>…``) and ``scores.json``. A stopped run resumes, a
        finished one is read back.

    Yields
    ------
    Event
        :class:`Started` with ``context`` ``files`` and ``class_names``; :class:`PatchesScored` whose cells
        are ``(index of the file, 0)``; :class:`Noted` for each file that cannot be read;
        :class:`Finished` with a :class:`FolderResult`.

    Raises
    ------
    UnsupportedFormatError
        If the folder holds no images.
    DamagedFileError
        If none of them can be read.
    BundleError
        If the model is no patch classifier or cannot be loaded.
    OutputError
        If ``out`` cannot be written.
    """
    folder, target = Path(folder), Path(out) / "scores.csv"
    if bundle.card.task != "patch-classifier":
        raise BundleError(f"Model {bundle.card.name} is a {bundle.card.task} model, not a patch classifier.")
    check_writable(target)
    yield from _FolderRun(folder, find_images(folder), bundle, settings, target).events()


class _FolderRun:
    """One run over the images of a folder."""

    def __init__(
        self, folder: Path, names: list[str], bundle: "Bundle", settings: ClassifySettings, target: Path
    ) -> None:
        self.folder, self.names, self.bundle, self.settings, self.target = folder, names, bundle, settings, target
        self.record = target.with_suffix(".json")
        self.model = describe_model(bundle)
        self.classes = bundle.card.class_names
        self.values = np.full((len(names), len(self.classes)), np.nan, np.float32)
        self.unreadable: dict[int, str] = {}
        stats = [(folder / name).stat() for name in names]
        listing = [(name, s.st_size, s.st_mtime_ns) for name, s in zip(names, stats, strict=True)]
        self.fingerprint = digest(str(folder.resolve()), listing, self.model["digest"], settings.precision)

    def events(self) -> Iterator[Event]:
        began = time.perf_counter()
        context = {"files": self.names, "class_names": self.classes}
        if self.settings.resume and (earlier := self._finished()) is not None:
            yield Started(len(self.names), "images", len(self.names), context)
            yield Finished(earlier)
            return
        store = ScoreStore(
            self.target.with_suffix(".parts"), self.fingerprint, len(self.classes), resume=self.settings.resume
        )
        cells, values = store.load()
        self.values[cells[:, 0]] = values
        yield Started(len(self.names), "images", len(cells), context)
        if len(cells):
            yield _scored(len(cells), cells[:, 0], values)
        yield from self._score_rest(store, len(cells))
        if len(self.unreadable) == len(self.names):
            raise DamagedFileError(f"None of the {len(self.names)} images in {self.folder} can be read.")
        yield Finished(self._finish(store, len(cells), time.perf_counter() - began))

    def _score_rest(self, store: ScoreStore, done: int) -> Iterator[Event]:
        from napari_medpatch.infer.patch_scorer import PatchScorer

        todo = np.flatnonzero(np.isnan(self.values[:, 0]))
        scorer = PatchScorer(
            self.bundle,
            device=self.settings.device,
            precision=self.settings.precision,
            batch_size=self.settings.batch_size,
        )
        chunks = [todo[start : start + _CHUNK] for start in range(0, len(todo), _CHUNK)]
        told: set[int] = set()
        with closing(
            Feed(chunks, self._load, batch_size=scorer.batch_size, threads=self.settings.threads)
        ) as feed:  # fmt: skip
            try:
                for batch, scored in scorer.stream(feed):
                    feed.batch_size = scorer.batch_size
                    good = ~np.isin(batch.index, list(self.unreadable))
                    index, values = batch.index[good], scored[good]
                    self.values[index] = values
                    done += len(batch.index)
                    store.add(_keys(index), values)
                    yield _scored(done, index, values)
                    for item in [i for i in batch.index.tolist() if i in self.unreadable and i not in told]:
                        told.add(item)
                        yield Noted(f"Left out: {self.unreadable[item]}", "warning")
            finally:
                store.flush()

    def _load(self, index: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Read and resize images; an unreadable one is noted and stands as black until it is dropped."""
        pictures = []
        for item in index.tolist():
            try:
                pictures.append(network_sized(read_photo(self.folder / self.names[item]).pixels, self.bundle.card))
            except MedPatchError as error:
                self.unreadable[item] = str(error)
                pictures.append(network_sized(np.zeros((8, 8, 3), np.uint8), self.bundle.card))
        return np.stack(pictures)

    def _finish(self, store: ScoreStore, resumed: int, seconds: float) -> FolderResult:
        read = [i for i in range(len(self.names)) if i not in self.unreadable]
        scores = ImageScores(tuple(self.names[i] for i in read), self.values[read], self.classes)
        record: dict[str, Any] = {
            "task": "classify-folder",
            "folder": str(self.folder),
            "model": self.model,
            "settings": asdict(self.settings),
            "images": len(read),
            "unreadable": [self.names[i] for i in sorted(self.unreadable)],
            "resumed": resumed,
            "seconds": round(seconds, 3),
            "versions": versions(),
            "fingerprint": self.fingerprint,
        }
        # An old record must not vouch for a new table if writing stops half-way.
        self.record.unlink(missing_ok=True)
        write_image_scores(self.target, scores)
        write_json(self.record, plain(record))
        store.remove()
        return FolderResult(scores, tuple(record["unreadable"]), (self.target, self.record), record)

    def _finished(self) -> FolderResult | None:
        """Return the result of a finished run of this fingerprint, None if there is none."""
        record = read_record(self.record)
        if record.get("fingerprint") != self.fingerprint:
            return None
        try:
            scores = read_image_scores(self.target)
        except MedPatchError:
            return None
        return FolderResult(scores, tuple(record.get("unreadable", ())), (self.target, self.record), record)


def _scored(done: int, index: npt.NDArray[np.int64], values: npt.NDArray[np.float32]) -> PatchesScored:
    return PatchesScored(done, _keys(index), np.zeros((len(index), 4), np.int64), values)


def _keys(index: npt.NDArray[np.int64]) -> Keys:
    return np.stack([index, np.zeros_like(index)], axis=1)
