"""One classification run: what is left to score, scoring it, keeping it."""

import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from napari_medpatch import __version__
from napari_medpatch.events import Event, Finished, PatchesScored, Started
from napari_medpatch.infer.aggregate import slide_score
from napari_medpatch.infer.classify_outputs import ClassifyFiles, cells_of
from napari_medpatch.infer.classify_result import ClassifyResult, ClassifySettings
from napari_medpatch.infer.feed import Feed, PatchReader
from napari_medpatch.infer.run_record import describe_model, describe_source, digest, versions
from napari_medpatch.infer.score_store import Keys, ScoreStore, Values
from napari_medpatch.io.source import Source, finest_level_at_least
from napari_medpatch.patches.grid import PatchGrid, PatchScale
from napari_medpatch.patches.stitch import empty_map, scatter

if TYPE_CHECKING:
    from napari_medpatch.infer.patch_scorer import PatchScorer
    from napari_medpatch.models.bundle import Bundle


class ClassifyRun:
    """One run over a grid: scores what is missing, keeps it, writes the results.

    Parameters
    ----------
    source : Source
        The image.
    bundle : Bundle
        The classifier.
    settings : ClassifySettings
        How.
    scale : PatchScale
        At which resolution to read.
    grid : PatchGrid
        The patches.
    files : ClassifyFiles or None
        Where results go.
    image : str
        Fingerprint of the image.
    """

    def __init__(
        self,
        source: Source,
        bundle: "Bundle",
        settings: ClassifySettings,
        scale: PatchScale,
        grid: PatchGrid,
        files: ClassifyFiles | None,
        image: str,
    ) -> None:
        self.source, self.bundle, self.settings, self.grid, self.files = source, bundle, settings, grid, files
        self.level = 0 if settings.exact else finest_level_at_least(source, scale.downsample)
        self.names = bundle.card.class_names
        self.map = empty_map(grid.rows, grid.cols, len(self.names))
        self.model = describe_model(bundle)
        self.image = image
        self.fingerprint = digest(
            image, self.model["digest"], __version__, settings.precision, settings.exact,
            self.level, grid.boxes(),
        )  # fmt: skip

    def events(self, began: float) -> Iterator[Event]:
        """Yield the job's events from :class:`Started` on; ``began`` is the ``perf_counter`` of its start."""
        earlier = self.files.finished(self.fingerprint, self.grid) if self.files and self.settings.resume else None
        context = {"grid": self.grid, "class_names": self.names}
        total = len(self.grid.cells)
        if earlier is not None:
            yield Started(total, "patches", total, context)
            yield self._scored(*cells_of(earlier[0], self.grid), total)
            record = {key: value for key, value in earlier[1].items() if key != "score"}
            yield Finished(self._result(record))
            return
        parts = self.files.parts if self.files is not None else None
        store = ScoreStore(parts, self.fingerprint, len(self.names), resume=self.settings.resume)
        cells, values = store.load()
        yield Started(total, "patches", len(cells), context)
        if len(cells):
            yield self._scored(cells, values, len(cells))
        scorer = yield from self._score_rest(store, len(cells))
        result = self._result(self._provenance(scorer, len(cells), time.perf_counter() - began))
        if self.files is not None:
            self.files.write(result, self.source.spacing, self.bundle.card.threshold)
            store.remove()
        yield Finished(result)

    def _score_rest(self, store: ScoreStore, done: int) -> Generator[Event, None, "PatchScorer"]:
        from napari_medpatch.infer.patch_scorer import PatchScorer

        cells = self.grid.cells[np.isnan(self.map[self.grid.cells[:, 0], self.grid.cells[:, 1], 0])]
        scorer = PatchScorer(
            self.bundle,
            device=self.settings.device,
            precision=self.settings.precision,
            batch_size=self.settings.batch_size,
        )
        with closing(self._feed(cells, scorer.batch_size)) as feed:
            try:
                for batch, values in scorer.stream(feed):
                    feed.batch_size = scorer.batch_size
                    done += len(values)
                    store.add(cells[batch.index], values)
                    yield self._scored(cells[batch.index], values, done)
            finally:
                store.flush()
        return scorer

    def _feed(self, cells: Keys, batch_size: int) -> Feed:
        exact, card = self.settings.exact, self.bundle.card
        reader = PatchReader(self.source, self.grid.boxes(cells), self.level, black_outside=exact)

        def load_exact(index: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
            from PIL import Image

            from napari_medpatch.models.preprocess import reference_transform

            return np.stack([reference_transform(Image.fromarray(p), card).numpy() for p in reader.load(index)])

        load = load_exact if exact else reader.load
        return Feed(reader.chunks(), load, batch_size=batch_size, threads=self.settings.threads)

    def _scored(self, cells: Keys, values: Values, done: int) -> PatchesScored:
        scatter(self.map, cells, values)
        return PatchesScored(done, cells, self.grid.boxes(cells), values)

    def _result(self, provenance: Mapping[str, Any]) -> ClassifyResult:
        threshold = self.bundle.card.threshold
        score = slide_score(self.map, self.names, threshold=0.5 if threshold is None else threshold)
        written = self.files.all if self.files is not None else ()
        return ClassifyResult(self.grid, self.map, self.names, score, written, provenance)

    def _provenance(self, scorer: "PatchScorer", resumed: int, seconds: float) -> dict[str, Any]:
        grid = self.grid
        return {
            "task": "classify",
            "source": describe_source(self.source),
            "source_digest": self.image,
            "model": self.model,
            "settings": asdict(self.settings),
            "grid": {
                "rows": grid.rows, "cols": grid.cols, "patch_px": list(grid.patch_px),
                "stride_px": list(grid.stride_px), "origin_px": list(grid.origin), "level": self.level,
            },
            "patches": len(grid.cells),
            "resumed": resumed,
            "seconds": round(seconds, 3),
            "device": str(scorer.device),
            "precision": scorer.precision,
            "batch_size": scorer.batch_size,
            "versions": versions(),
            "fingerprint": self.fingerprint,
        }  # fmt: skip
