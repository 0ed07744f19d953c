"""A fine-tuning under way: estimate, train, score, save, predict."""

import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from napari_medpatch.annotate.sparse import LabelArray, SparseLabels, value_counts
from napari_medpatch.errors import BundleError
from napari_medpatch.events import Event, Job, Noted, Started, StepDone, Validated, Working
from napari_medpatch.infer.device import pick_device
from napari_medpatch.infer.precision import training_precision
from napari_medpatch.infer.segment_plan import plan_segmentation
from napari_medpatch.io.free_space import check_space
from napari_medpatch.io.source import Source
from napari_medpatch.models.bundle import Bundle
from napari_medpatch.models.network import unet_config
from napari_medpatch.models.network_size import bundle_bytes
from napari_medpatch.patience import patiently
from napari_medpatch.steps import telling
from napari_medpatch.train.blend import blend_by_base, blend_by_fold, first_blend
from napari_medpatch.train.clean_up import clean_up_rules
from napari_medpatch.train.config import Budget, FineTuneSettings
from napari_medpatch.train.features import FloatArray
from napari_medpatch.train.fine_tune_card import first_card, training_record
from napari_medpatch.train.fine_tune_result import FineTuneResult
from napari_medpatch.train.forest import threads
from napari_medpatch.train.loop import Batch, Learner
from napari_medpatch.train.overlay import mask_blocks
from napari_medpatch.train.pace import Pace
from napari_medpatch.train.patches import batch_maker, pad_image
from napari_medpatch.train.prior import Prior, make_prior
from napari_medpatch.train.problem import Problem, pose_problem, with_resolution
from napari_medpatch.train.save_or_keep import save_or_keep
from napari_medpatch.train.starting_point import starting_model
from napari_medpatch.train.targets import make_targets

T = TypeVar("T")
_VALIDATE_AT = 0.5
_NO_STEP = (
    "The time was over before the network took its first training step, so the saved model has learned nothing; "
    "give the training more time."
)
_PLACEHOLDER: dict[int, dict[str, Any]] = {2: {"kind": "rgb"}, 3: {"kind": "hu_window", "low": 0.0, "high": 1.0}}


class FineTuneRun:
    """State of one job; see :func:`napari_medpatch.train.fine_tune.fine_tune`.

    Parameters
    ----------
    source : Source
        The image.
    labels : SparseLabels
        A checked snapshot.
    base : Bundle or None
        Model to begin with.
    settings : FineTuneSettings
        What was asked for.
    out : Path or None
        Where the bundle goes.
    accepted : SparseLabels, optional
        Labels that were interpolated or predicted, to be learnt from but not scored on.
    """

    def __init__(
        self,
        source: Source,
        labels: SparseLabels,
        base: Bundle | None,
        settings: FineTuneSettings,
        out: Path | None,
        accepted: SparseLabels | None = None,
    ) -> None:
        self.source = source
        self.labels = labels
        self.accepted = accepted
        self.base = base
        self.settings = settings
        self.out = out
        self.budget = Budget(settings.seconds, settings.steps)
        self._threads = threads()
        self.device = pick_device(settings.device)
        self.precision = training_precision(self.device)
        name = out.name if out is not None else "fine-tuned"
        card = first_card(source, labels, base, name=name, precision=self.precision, device=self.device.type)
        self.card = with_resolution(source, labels, card, base)
        self.prior: Prior | None = None
        self.blend = first_blend(None, self.card.dimensions)
        self.metrics: dict[str, float] = {}
        self.mask: npt.NDArray[np.uint8] | None = None
        self.maps: npt.NDArray[np.uint8] | None = None
        self.bundle: Bundle | None = None
        self.misplaced = ""
        self._problem: Problem
        self._inputs: FloatArray
        self._learner: Learner

    def events(self) -> Job:
        """Do it all."""
        import torch

        if self.out is not None:
            check_space(self.out, bundle_bytes(self.card), "the model")
        self.plan = plan_segmentation(self.source, replace(self.card, intensity=_PLACEHOLDER[self.card.dimensions]))
        yield Started(self.budget.total, self.budget.unit, context=self._context())
        yield from self._notes()
        self._problem = yield from self._working(
            pose_problem(self.source, self.labels, self.card, self.base, self.accepted)
        )
        self.card = self._problem.card
        if self.settings.use_unlabelled:
            yield from self._estimate()
        yield from self._get_ready()
        try:
            yield from self._train()
        except (GeneratorExit, KeyboardInterrupt, SystemExit):
            if self._learner.steps:
                self._save()
            raise
        finally:
            torch.set_num_threads(self._threads)
        self._save()
        if not self._learner.steps:
            yield Noted(_NO_STEP, "warning")
        if self.settings.predict:
            yield from self._predict()

    def result(self) -> FineTuneResult:
        """Return the record of the whole."""
        if self.bundle is None:
            raise BundleError("Training has not ended, so there is no model yet.")
        return FineTuneResult(
            bundle=self.bundle,
            mask=self.mask,
            probabilities=self.maps,
            class_names=self.labels.foreground,
            metrics=dict(self.metrics),
            steps=self._learner.steps,
            seconds=self.budget.elapsed,
            provenance=self._provenance(),
            downsample=self.plan.downsample,
            transform=self.plan.transform,
        )

    def _context(self) -> dict[str, Any]:
        return {
            "shape": self.plan.output.source_shape,
            "classes": self.labels.foreground,
            "downsample": self.plan.downsample,
            "transform": self.plan.transform,
        }

    def _notes(self) -> Iterator[Event]:
        counts = value_counts(self.labels.labels)
        for value, name in enumerate(self.labels.class_names, start=1):
            if not counts[value]:
                yield Noted(f"{name!r} is not painted anywhere, so the model cannot learn it.", "warning")

    def _working(self, steps: Generator[None, None, T]) -> Generator[Event, None, T]:
        """Pass the time of a quiet piece of work on."""
        return (yield from telling(steps, lambda _: Working(self.budget.done)))

    def _estimate(self) -> Iterator[Event]:
        """Make the training-free estimate and show it."""
        problem = self._problem
        self.prior = yield from self._working(
            make_prior(
                problem.image,
                problem.detail,
                problem.labels,
                num_classes=self.labels.num_classes,
                name=self.source.path.name,
                seed=self.settings.seed,
                budget=self.budget,
            )
        )
        self.blend = first_blend(self.prior, self.card.dimensions)
        choice = self.prior.choice
        if choice.folds:
            self.metrics |= choice.tally.metrics(self.labels.foreground)
            yield Validated(0, dict(self.metrics))
        if self.settings.predict:
            yield from mask_blocks(self.prior.probabilities, self.plan, self.labels.labels)
        if choice.recipe.anchored:
            rules = clean_up_rules(self.prior.probabilities, self.labels.foreground, self.card.spacing)
            self.card = replace(self.card, postprocess=rules)

    def _get_ready(self) -> Iterator[Event]:
        """Make network and targets; each piece takes a noticeable time on a large image."""
        problem, config = self._problem, unet_config(self.card)
        self._inputs = pad_image(problem.inputs, config.multiple, repeat_border=self.card.dimensions == 2)
        self._generator = np.random.default_rng(self.settings.seed)
        model, rate = yield from self._working(patiently(starting_model, self.card, self.base, self.settings.seed))
        estimate, labels = None, problem.all_labels
        if self.prior is not None:
            estimate = self.prior.probabilities
            if self.prior.fold is not None:
                # What was interpolated between held-out slices knows them.
                estimate, labels = self.prior.without_fold, self.prior.fold.rest(problem.labels)
        draw, weight = yield from self._aim(labels, estimate)
        self._learner = Learner(model, draw, weight, device=self.device, precision=self.precision, rate=rate)

    def _aim(
        self, labels: LabelArray, estimate: FloatArray | None
    ) -> Generator[Event, None, tuple[Callable[[], Batch], FloatArray]]:
        """Return what draws batches for these targets, and the weight of each class."""

        def prepare() -> tuple[Callable[[], Batch], FloatArray]:
            targets = make_targets(labels, self.labels.num_classes, estimate)
            draw = batch_maker(self._inputs, targets, self.labels.class_names, self._generator)
            return draw, targets.class_weight()

        return (yield from self._working(patiently(prepare)))

    def _train(self) -> Iterator[Event]:
        if self.base is not None and self.prior is not None and self.prior.fold is None and self.settings.predict:
            network = yield from self._network()
            self.blend = blend_by_base(network, self.prior, self._problem.labels)
        begun = time.perf_counter()
        self.budget.start_training()
        waiting = self.prior is not None and self.prior.fold is not None
        pace = Pace(self._threads, fixed=self.budget.steps is not None)
        fastest = float("inf")
        while self.budget.fraction < 1:
            used, start = pace.threads(), time.perf_counter()
            # In a thread, because on a slow or busy machine a step takes longer than a stop may.
            loss = yield from self._working(patiently(self._learner.step, self.budget.fraction, used))
            took = time.perf_counter() - start
            pace.took(used, took)
            fastest = min(fastest, took)
            self.budget.steps_done = self._learner.steps
            self.budget.keep_back(self._reserve(fastest))
            self.metrics["loss"] = loss
            yield StepDone(self._learner.steps, loss, time.perf_counter() - begun, int(self.budget.done))
            if waiting and self.budget.fraction >= _VALIDATE_AT:
                waiting = False
                yield from self._validate()

    def _reserve(self, step_seconds: float) -> float:
        """Return what prediction will take: a third of a training step per pixel, and half as much to spare."""
        patch = self._learner.batch_pixels
        return 1.0 + 0.5 * step_seconds * self._inputs[0].size / patch if self.settings.predict else 0.5

    def _validate(self) -> Iterator[Event]:
        """Score the network on the paint it was kept from, then give it that too."""
        prior, problem = self.prior, self._problem
        if prior is None or prior.fold is None or prior.without_fold is None:
            return
        network = yield from self._network()
        self.blend = blend_by_fold(network, prior.without_fold, problem.labels, prior.fold.held)
        if self.blend.tally is not None and self.blend.network_tally is not None:
            # Scores of all folds tell more than those of one, so they stand where there are any.
            self.metrics = {**self.blend.tally.metrics(self.labels.foreground), **self.metrics}
            self.metrics["network_dice"] = self.blend.network_tally.dice
            scores = {key: value for key, value in self.metrics.items() if key != "loss"}
            yield Validated(self._learner.steps, scores)
        self._learner.aim(*(yield from self._aim(problem.all_labels, prior.probabilities)))

    def _network(self) -> Generator[Event, None, FloatArray]:
        """Return the network's probabilities on the working grid."""
        padded = yield from self._working(self._learner.predict(self._inputs))
        return padded[(slice(None), *(slice(0, n) for n in self._problem.labels.shape))]

    def _save(self) -> None:
        folder = self.out if self.out is not None else Path(tempfile.mkdtemp(prefix="medpatch-")) / self.card.name
        model, steps = self._learner.best_so_far()
        record = {**self._provenance(), "steps": steps}
        card = replace(self.card, training=record, metrics=dict(self.metrics))
        self.bundle, self.misplaced = save_or_keep(folder, card, model)

    def _predict(self) -> Iterator[Event]:
        estimate = self.prior.probabilities if self.prior is not None else None
        if self.blend.network:
            network = yield from self._network()
            mixed = self.blend.apply(network, estimate)
        elif estimate is not None:
            mixed = estimate
        shape = self.plan.output.source_shape
        mask, maps = np.empty(shape, np.uint8), np.empty((len(self.labels.foreground), *shape), np.uint8)
        for block in mask_blocks(mixed, self.plan, self.labels.labels):
            mask[block.box.slices] = block.labels
            if block.probabilities is not None:
                maps[(slice(None), *block.box.slices)] = block.probabilities
            yield block
        self.mask, self.maps = mask, maps

    def _provenance(self) -> dict[str, Any]:
        return training_record(
            self.source,
            self.labels,
            self.base,
            card=self.card,
            recipe=self.prior.choice.recipe if self.prior is not None else None,
            steps=self._learner.steps,
            seconds=round(self.budget.elapsed, 1),
            seed=self.settings.seed,
            device=str(self.device),
            precision=self.precision,
            network_share=self.blend.network,
        )
