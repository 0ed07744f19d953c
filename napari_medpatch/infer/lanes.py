"""Several workers pull items from one source; results come back in the items' order."""

import itertools
import threading
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Generic, Protocol, TypeVar

Item = TypeVar("Item")
Pending = TypeVar("Pending")
Result = TypeVar("Result")
ItemIn = TypeVar("ItemIn", contravariant=True)
ResultOut = TypeVar("ResultOut", covariant=True)

_AHEAD = 3
"""Items per lane between the one that is pulled and the one that the caller waits for."""

_numbers = itertools.count()


class Lane(Protocol[ItemIn, Pending, ResultOut]):
    """One worker: a device, or a thread of the processor. All its methods are called in one thread.

    Attributes
    ----------
    depth : int
        Items to launch before the first result is fetched: 1 keeps an accelerator busy.
    """

    depth: int

    def active(self) -> AbstractContextManager[object]:
        """Return the context of the lane's whole thread."""
        ...

    def launch(self, item: ItemIn) -> Pending:
        """Begin an item."""
        ...

    def fetch(self, pending: Pending) -> ResultOut:
        """Wait for what :meth:`launch` began."""
        ...


def in_order(
    items: Iterable[Item], lanes: Sequence[Lane[Item, Pending, Result]]
) -> Generator[tuple[Item, Result], None, None]:
    """Share items among lanes, each in a thread of its own.

    Parameters
    ----------
    items : iterable
        Advanced by one lane at a time, at most three items per lane ahead of the caller.
    lanes : sequence of Lane
        At least one.

    Yields
    ------
    tuple
        Item and result, in the order of ``items`` whichever lane was faster.

    Raises
    ------
    BaseException
        The first error of ``items`` or of a lane, once, after the results before it; it stops all lanes.
        Closing the iterator stops them too and waits for the item that each has under way.
    """
    road: _Road[Item, Pending, Result] = _Road(items, _AHEAD * len(lanes))
    threads = [
        threading.Thread(target=road.drive, args=(lane,), name=f"medpatch-lane-{next(_numbers)}", daemon=True)
        for lane in lanes
    ]
    for thread in threads:
        thread.start()
    try:
        yield from road.results()
    finally:
        road.stop()
        for thread in threads:
            thread.join()


class _Road(Generic[Item, Pending, Result]):
    """What the lanes of one call share."""

    def __init__(self, items: Iterable[Item], limit: int) -> None:
        self._items, self._limit = iter(items), limit
        self._turn = threading.Lock()
        self._change = threading.Condition()
        self._done: dict[int, tuple[Item, Result]] = {}
        self._errors: dict[int, BaseException] = {}
        self._taken = self._given = 0
        self._ended = self._stopped = False

    def results(self) -> Generator[tuple[Item, Result], None, None]:
        while True:
            with self._change:
                self._change.wait_for(self._knows_next)
                if self._given not in self._done:
                    if self._errors:
                        raise self._errors[min(self._errors)]
                    return
                found = self._done.pop(self._given)
                self._given += 1
                self._change.notify_all()
            yield found

    def stop(self) -> None:
        with self._change:
            self._stopped = True
            self._change.notify_all()

    def drive(self, lane: Lane[Item, Pending, Result]) -> None:
        """Work until nothing is left; what was launched last is fetched when there is nothing to launch."""
        waiting: deque[tuple[int, Item, Pending]] = deque()
        number = 0
        try:
            with lane.active():
                while not self._stopped:
                    pulled = self._pull(patient=not waiting)
                    if pulled is not None:
                        number, item = pulled
                        waiting.append((number, item, lane.launch(item)))
                    elif not waiting:
                        return
                    if pulled is None or len(waiting) > lane.depth:
                        number, item, pending = waiting.popleft()
                        self._deliver(number, item, lane.fetch(pending))
        except BaseException as error:  # noqa: BLE001 - it reaches the caller through results()
            self._fail(min([number, *(entry[0] for entry in waiting)]), error)

    def _knows_next(self) -> bool:
        failed = bool(self._errors) and min(self._errors) <= self._given
        return self._given in self._done or failed or (self._ended and self._given >= self._taken)

    def _is_over(self) -> bool:
        return self._stopped or self._ended or bool(self._errors)

    def _has_room(self) -> bool:
        return self._taken - self._given < self._limit

    def _pull(self, *, patient: bool) -> tuple[int, Item] | None:
        """Return the next item and its number; None at the end, or if not patient, when there is no room."""
        while True:
            with self._change:
                # Not while holding the turn: the lane that the caller waits for may want it.
                if patient:
                    self._change.wait_for(lambda: self._is_over() or self._has_room())
            with self._turn:
                if self._is_over():
                    return None
                if self._has_room():
                    return self._advance()
            if not patient:
                return None

    def _advance(self) -> tuple[int, Item] | None:
        """Take the next item; only the lane whose turn it is."""
        try:
            item = next(self._items)
        except StopIteration:
            with self._change:
                self._ended = True
                self._change.notify_all()
            return None
        except BaseException as error:  # noqa: BLE001 - it reaches the caller through results()
            self._fail(self._taken, error)
            return None
        with self._change:
            self._taken += 1
        return self._taken - 1, item

    def _deliver(self, number: int, item: Item, result: Result) -> None:
        with self._change:
            self._done[number] = item, result
            self._change.notify_all()

    def _fail(self, number: int, error: BaseException) -> None:
        with self._change:
            self._errors[number] = error
            self._change.notify_all()
