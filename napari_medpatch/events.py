"""Events that jobs yield.

A job is a generator of these small frozen records. Whoever iterates (window, command line, notebook)
decides what to show; closing the generator stops the job.

Array fields are owned by the receiver once yielded: a job never writes to them again, unless the field
says that it is a live view.
"""

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from napari_medpatch.geometry import Box
from napari_medpatch.steps import telling


@dataclass(frozen=True, slots=True)
class Started:
    """The job knows how much there is to do.

    Parameters
    ----------
    total : int
        Number of units of work.
    unit : str
        What a unit is, in the plural: ``"patches"``, ``"blocks"``, ``"steps"``, ``"seconds"``.
    done : int
        Units that an earlier run finished already.
    context : mapping
        What a consumer needs to prepare for results, by name (for example ``grid`` or ``classes``).
    """

    total: int
    unit: str
    done: int = 0
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Noted:
    """Something the user should know that does not stop the job.

    Parameters
    ----------
    message : str
        One sentence.
    level : str
        ``"info"`` or ``"warning"``.
    """

    message: str
    level: str = "info"


@dataclass(frozen=True, slots=True)
class PatchesScored:
    """A batch of patches has probabilities.

    Parameters
    ----------
    done : int
        Patches scored so far, this batch included.
    cells : ndarray
        (N, 2) int64, row and column of each patch on the patch grid.
    boxes : ndarray
        (N, 4) int64, ``y0, x0, y1, x1`` in level-0 pixels.
    probabilities : ndarray
        (N, C) float32.
    extras : mapping of str to ndarray
        (N,) float32 by name: what else is known of each patch (``"uncertainty"``, ``"attention"``).
        :class:`Started` lists the names as ``context["extra_names"]``.
    """

    done: int
    cells: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    extras: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BlockSegmented:
    """A block of the mask is ready; a later block of the same place replaces it.

    Parameters
    ----------
    done : int
        Blocks finished so far, this one included.
    box : Box
        Where, ``(Y, X)`` or ``(Z, Y, X)``, in voxels of the mask: the source's finest grid for
        photographs and volumes, the working resolution for slides. :class:`Started` gives its shape as
        ``context["shape"]`` and its place as ``context["transform"]``.
    labels : ndarray
        uint8 mask of the shape of ``box``; 0 background, 1… classes.
    probabilities : ndarray or None
        uint8, ``(C, *box.shape)``, probability × 255 of each foreground class.
    uncertainty : ndarray or None
        uint8 of the shape of ``box``, entropy of the classes: 0 is certain, 255 is all equally likely.
    """

    done: int
    box: Box
    labels: npt.NDArray[np.uint8]
    probabilities: npt.NDArray[np.uint8] | None = None
    uncertainty: npt.NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class PictureRead:
    """A small picture to show.

    Parameters
    ----------
    index : int
        Which of those that the job was asked for.
    pixels : ndarray
        ``(Y, X, 3) uint8``.
    """

    index: int
    pixels: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Working:
    """Nothing is finished, but the job is alive: the moment to move a bar or to stop it.

    Parameters
    ----------
    done : float
        Progress in the unit that :class:`Started` announced, fractions included.
    """

    done: float


@dataclass(frozen=True, slots=True)
class StepDone:
    """One optimiser step of a training job.

    Parameters
    ----------
    step : int
        Steps done so far.
    loss : float
        Loss of this step.
    seconds : float
        Since training began.
    done : int
        Progress in the unit that :class:`Started` announced.
    """

    step: int
    loss: float
    seconds: float
    done: int


@dataclass(frozen=True, slots=True)
class Validated:
    """Scores on held-out labels.

    Parameters
    ----------
    step : int
        Steps done so far.
    metrics : mapping of str to float
        Scores by name, for example ``{"dice": 0.91}``.
    """

    step: int
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class SlideProgress:
    """One of many slides is under way.

    Parameters
    ----------
    done : float
        Slides finished so far plus the finished shares of those under way.
    path : str
        The slide.
    patches : int
        Patches of this slide that have scores.
    total : int
        Patches of this slide, 0 while they are not counted yet.
    worker : str
        Address of the machine that works at it, empty for this one.
    """

    done: float
    path: str
    patches: int
    total: int
    worker: str = ""


@dataclass(frozen=True, slots=True)
class SlideDone:
    """One of many slides is done with: scored, found finished, or failed.

    Parameters
    ----------
    done : float
        As in :class:`SlideProgress`.
    outcome : object
        :class:`napari_medpatch.cohort.outcome.SlideOutcome`.
    """

    done: float
    outcome: Any


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of a job that was not stopped.

    Parameters
    ----------
    result : object
        The job's result record (``ClassifyResult``, ``SegmentResult``, ``FineTuneResult``, ``CohortResult``).
    """

    result: Any


Event: TypeAlias = (
    Started
    | Noted
    | PatchesScored
    | BlockSegmented
    | PictureRead
    | Working
    | StepDone
    | Validated
    | SlideProgress
    | SlideDone
    | Finished
)
Job: TypeAlias = Generator[Event, None, None]
_Result = TypeVar("_Result")


def counted(steps: Generator[float, None, _Result]) -> Generator[Event, None, _Result]:
    """Turn a generator of progress into part of a job.

    Parameters
    ----------
    steps : generator
        Yields how much is done, in the unit of the job's :class:`Started`, and returns a result; closed with the job.

    Returns
    -------
    object
        What ``steps`` returns: ``result = yield from counted(steps)``.
    """
    return (yield from telling(steps, Working))


def passing_on(job: Job) -> Generator[Event, None, Any]:
    """Run a job as part of another: its events are passed on but for :class:`Finished`.

    Returns
    -------
    object
        The ``result`` of the job's :class:`Finished` event: ``result = yield from passing_on(job)``.
    """
    with closing(job):
        for event in job:
            if isinstance(event, Finished):
                return event.result
            yield event
    raise AssertionError("a job ends with its result")


def run(job: Job) -> Any:
    """Run a job to its end and return its result.

    Parameters
    ----------
    job : generator of events
        For example ``segment(source, bundle)``.

    Returns
    -------
    object
        The ``result`` of the job's :class:`Finished` event, None if it ended without one.
    """
    result = None
    for event in job:
        if isinstance(event, Finished):
            result = event.result
    return result
