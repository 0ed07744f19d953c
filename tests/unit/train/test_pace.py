"""The faster number of threads is found, and looked for again."""

from napari_medpatch.train.pace import Pace


def used(pace: Pace, seconds: dict[int, float], steps: int) -> list[int]:
    threads = []
    for _ in range(steps):
        threads.append(pace.threads())
        pace.took(threads[-1], seconds[threads[-1]])
    return threads


def test_on_a_busy_machine_one_thread_is_kept():
    assert used(Pace(4, fixed=False), {4: 2.0, 1: 1.0}, 8) == [4, 4, 4, 1, 1, 1, 1, 1]


def test_on_an_idle_machine_all_are_kept():
    assert used(Pace(2, fixed=False), {2: 0.5, 1: 1.0}, 8)[5:] == [2, 2, 2]


def test_a_slow_first_step_says_nothing():
    pace = Pace(2, fixed=False)
    pace.took(pace.threads(), 60.0)
    assert used(pace, {2: 0.5, 1: 1.0}, 6)[4:] == [2, 2]


def test_what_changes_is_noticed():
    pace = Pace(2, fixed=False)
    used(pace, {2: 0.5, 1: 1.0}, 20)
    assert used(pace, {2: 3.0, 1: 1.0}, 40)[-1] == 1


def test_reproducible_runs_do_not_look_at_the_clock():
    assert set(used(Pace(2, fixed=True), {2: 9.0, 1: 1.0}, 10)) == {2}
