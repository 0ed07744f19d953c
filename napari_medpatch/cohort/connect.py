"""Reach a dask cluster and see that its machines fit this one."""

import os
import time
import warnings
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from napari_medpatch.cohort.worker import machine
from napari_medpatch.errors import ClusterError
from napari_medpatch.events import Event, Noted, Working

CONNECT_SECONDS = 8.0
_MUST_AGREE = ("dask", "distributed")
"""Their wire format changes from release to release."""


@contextmanager
def connected(scheduler: Any) -> Iterator[Any]:
    """Yield a client of a cluster.

    Parameters
    ----------
    scheduler : str, path-like or distributed.Client
        Address, scheduler file, or a client, which is left open.

    Raises
    ------
    ClusterError
        If ``distributed`` is not installed or nobody answers within about ten seconds.
    """
    if not isinstance(scheduler, str | os.PathLike):
        yield scheduler
        return
    client = _connect(os.fspath(scheduler))
    try:
        yield client
    finally:
        client.close(timeout=2)


def _connect(address: str) -> Any:
    try:
        from distributed import Client
        from distributed.versions import VersionMismatchWarning
    except ImportError as error:
        raise ClusterError(
            "A dask cluster needs the package distributed, which is not installed; "
            "install it with: pip install 'napari-medpatch[cluster]'."
        ) from error
    place = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
    try:
        with warnings.catch_warnings():
            # Ours to tell, in one sentence: see check_machines.
            warnings.simplefilter("ignore", VersionMismatchWarning)
            return Client(**place, timeout=CONNECT_SECONDS, name="napari-medpatch", set_as_default=False)
    except (OSError, ValueError, TypeError, ImportError) as error:
        raise ClusterError(
            f"No dask scheduler answers at {address} ({_first_line(error)}); check the address, "
            "such as tcp://host:8786, and that the scheduler runs."
        ) from error


def wait_for_worker(client: Any, address: str) -> Generator[Event, None, Mapping[str, Any]]:
    """Wait until the cluster has a worker; returns the workers by address.

    A small task is submitted meanwhile, because an adaptive cluster starts nothing without work.
    """
    wake = None
    asked = 0.0
    while not (workers := client.scheduler_info()["workers"]):
        if wake is None:
            wake = client.submit(machine, pure=False)
        if time.monotonic() - asked > 15:
            asked = time.monotonic()
            yield Noted(f"Waiting for a worker of {address}.")
        yield Working(0)
        time.sleep(0.25)
    return workers  # type: ignore[no-any-return]


def check_machines(client: Any) -> None:
    """Refuse a cluster whose scheduler or workers run other versions.

    Raises
    ------
    ClusterError
        Names the machine, the package and both versions.
    """
    try:
        versions = client.get_versions()
        workers = client.run(machine, on_error="return")
        scheduler = client.run_on_scheduler(machine)
    except (OSError, ValueError, ImportError, AttributeError, RuntimeError) as error:
        raise ClusterError(
            f"The scheduler cannot run napari_medpatch ({_first_line(error)}); "
            "install the same version, with the extra cluster, on all machines."
        ) from error
    own = {name: versions["client"]["packages"].get(name) for name in _MUST_AGREE} | machine()
    _compare("The scheduler", own, versions["scheduler"], scheduler)
    for address, found in workers.items():
        _compare(f"Worker {address}", own, versions["workers"].get(address, {}), found)


def _compare(who: str, own: Mapping[str, Any], versions: Mapping[str, Any], found: Any) -> None:
    if isinstance(found, BaseException):
        raise ClusterError(
            f"{who} cannot run napari_medpatch ({_first_line(found)}); install the same version on all machines."
        )
    there = {name: versions.get("packages", {}).get(name) for name in _MUST_AGREE} | dict(found)
    for name, version in own.items():
        if there[name] != version:
            raise ClusterError(
                f"{who} has {name} {there[name]}, this machine has {version}; install the same on all machines."
            )


def resources_for(workers: Mapping[str, Any], device: str) -> dict[str, float]:
    """Return what a slide asks of a worker: one GPU where workers announce GPUs, unless the CPU is wanted."""
    announced = any(worker.get("resources", {}).get("GPU", 0) >= 1 for worker in workers.values())
    return {"GPU": 1} if announced and device != "cpu" else {}


def slots_of(workers: Mapping[str, Any], resources: Mapping[str, float]) -> int:
    """Return how many slides the cluster can work at: one per GPU if slides ask for one, else one per thread."""
    if resources:
        return int(sum(worker.get("resources", {}).get("GPU", 0) for worker in workers.values()))
    return int(sum(worker.get("nthreads", 1) for worker in workers.values()))


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".:")
