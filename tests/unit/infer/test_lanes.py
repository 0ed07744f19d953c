"""Workers that share a source and hand results back in order."""

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import pytest

from napari_medpatch.errors import DamagedFileError, ResourceError
from napari_medpatch.infer.lanes import in_order


class Squares:
    """A lane that squares numbers: slow ones, broken ones, launched ahead."""

    def __init__(self, *, depth: int = 0, seconds: float = 0.0, breaks_at: int | None = None) -> None:
        self.depth, self.seconds, self.breaks_at = depth, seconds, breaks_at
        self.launched: list[int] = []
        self.most_waiting = self.waiting = 0

    def active(self) -> AbstractContextManager[object]:
        return nullcontext()

    def launch(self, item: int) -> int:
        if item == self.breaks_at:
            raise ResourceError(f"lane broke at {item}")
        time.sleep(self.seconds)
        self.launched.append(item)
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        return item

    def fetch(self, pending: int) -> int:
        self.waiting -= 1
        return pending**2


def _lane_threads() -> int:
    return sum(t.name.startswith("medpatch-lane") for t in threading.enumerate())


@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("speeds", [(0.0,), (0.0, 0.004), (0.003, 0.0, 0.001)])
def test_results_keep_the_order_of_items(depth: int, speeds: tuple[float, ...]) -> None:
    lanes = [Squares(depth=depth, seconds=s) for s in speeds]
    assert list(in_order(range(40), lanes)) == [(n, n * n) for n in range(40)]
    assert sorted(n for lane in lanes for n in lane.launched) == list(range(40))
    assert all(lane.most_waiting <= depth + 1 for lane in lanes)
    assert _lane_threads() == 0


def test_nothing_in_nothing_out() -> None:
    assert list(in_order([], [Squares(), Squares(depth=1)])) == []


def test_two_lanes_share_the_work() -> None:
    lanes = [Squares(seconds=0.005), Squares(seconds=0.005)]
    assert len(list(in_order(range(20), lanes))) == 20
    assert min(len(lane.launched) for lane in lanes) > 4


def test_lanes_do_not_run_far_ahead_of_a_slow_caller() -> None:
    lanes = [Squares(depth=1), Squares()]
    results = in_order(range(1000), lanes)
    assert next(results) == (0, 0)
    time.sleep(0.1)
    assert sum(len(lane.launched) for lane in lanes) <= 3 * len(lanes) + 1
    results.close()
    assert _lane_threads() == 0


@pytest.mark.parametrize("depth", [0, 1])
def test_an_error_comes_once_after_the_results_before_it(depth: int) -> None:
    lanes = [Squares(depth=depth, breaks_at=7, seconds=0.001), Squares(depth=depth, breaks_at=7)]
    seen = []
    with pytest.raises(ResourceError, match="lane broke at 7") as caught:
        seen.extend(item for item, _ in in_order(range(100), lanes))
    # A lane that launches ahead loses what it had not fetched.
    assert seen == list(range(len(seen)))
    assert 7 - depth <= len(seen) <= 7
    assert caught.value.__context__ is None
    assert _lane_threads() == 0
    assert sum(len(lane.launched) for lane in lanes) < 20


def test_an_error_of_the_source_stops_all() -> None:
    def broken() -> Iterator[int]:
        yield from range(5)
        raise DamagedFileError("tile 5 is broken")

    seen = []
    with pytest.raises(DamagedFileError, match="tile 5"):
        seen.extend(item for item, _ in in_order(broken(), [Squares(), Squares(depth=1)]))
    assert seen == [0, 1, 2, 3, 4]
    assert _lane_threads() == 0


def test_an_error_at_the_start_of_a_lane_is_raised() -> None:
    class Dead(Squares):
        @contextmanager
        def active(self) -> Iterator[None]:
            raise ResourceError("no such device")
            yield

    with pytest.raises(ResourceError, match="no such device"):
        list(in_order(range(10), [Dead(), Dead()]))
    assert _lane_threads() == 0


def test_closing_waits_only_for_what_is_under_way() -> None:
    lanes = [Squares(seconds=0.05), Squares(seconds=0.05)]
    results = in_order(range(1000), lanes)
    next(results)
    results.close()
    assert sum(len(lane.launched) for lane in lanes) < 1000
    assert _lane_threads() == 0
