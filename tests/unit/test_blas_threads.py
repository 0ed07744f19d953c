"""The limit of BLAS threads is shared by jobs that run side by side."""

import numpy  # noqa: F401 - loads the library that is limited
from threadpoolctl import threadpool_info

from napari_medpatch.blas_threads import one_blas_thread


def threads() -> list[int]:
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_the_last_one_out_restores_the_limit() -> None:
    before = threads()
    first, second = one_blas_thread(), one_blas_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert set(threads()) == {1}
    second.__exit__(None, None, None)
    assert threads() == before
