"""Where a model runs and how much memory there is."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from napari_medpatch.errors import ResourceError
from napari_medpatch.events import Job

if TYPE_CHECKING:
    import torch

_CGROUP = Path("/sys/fs/cgroup")


def pick_device(name: str = "auto") -> "torch.device":
    """Return the device that a name stands for.

    Parameters
    ----------
    name : str
        ``"auto"`` (CUDA, else Apple's MPS, else the CPU), ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.

    Raises
    ------
    ResourceError
        If the name is unknown or this machine has no such device.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu")
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (index and not (kind == "cuda" and index.isdecimal())):
        raise ResourceError(f"There is no device {name!r}; choose auto, cpu, cuda, cuda:0 or mps.")
    if kind == "mps" and not _has_mps():
        raise ResourceError("This machine has no MPS device (Apple GPU); choose auto or cpu.")
    if kind == "cuda":
        _check_cuda(name, int(index or 0))
    return torch.device(name)


def pick_devices(name: str = "auto") -> "tuple[torch.device, ...]":
    """Return the devices that a setting names.

    Parameters
    ----------
    name : str
        What :func:`pick_device` takes; several of them with commas (``"cuda:0,cuda:2"``), one lane each; or
        ``"cuda:all"``.

    Raises
    ------
    ResourceError
        If a name is unknown or this machine has no such device.
    """
    import torch

    names: list[str] = []
    for part in name.split(","):
        if part.strip() == "cuda:all":
            pick_device("cuda")
            names += [f"cuda:{index}" for index in range(torch.cuda.device_count())]
        else:
            names.append(part.strip())
    return tuple(pick_device(part) for part in names)


def available_memory(device: "torch.device") -> int:
    """Return the bytes that a job may use now without hurting others.

    On the CPU this respects the limit of a container, which ``psutil`` does not see.
    """
    import psutil
    import torch

    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free) + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    free = int(psutil.virtual_memory().available)
    limit, used = _cgroup_number("memory.max"), _cgroup_number("memory.current")
    return min(free, limit - used) if limit is not None and used is not None else free


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on any device."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error).lower()
    # The last two are what is left to say when no convolution of cuDNN's finds room for its workspace.
    phrases = (
        "out of memory", "not enough memory", "can't allocate memory", "could not allocate", "status_alloc_failed",
        "unable to find an engine to execute this computation", "unable to find a valid cudnn algorithm",
    )  # fmt: skip
    return isinstance(error, RuntimeError) and any(phrase in text for phrase in phrases)


def check_device_works(error: BaseException, device: "torch.device") -> None:
    """Raise a sentence if an error means that an accelerator is unusable from now on, whatever caused it.

    Raises
    ------
    ResourceError
        If so.
    """
    text = str(error)
    if device.type != "cpu" and any(text.startswith(f"{library} error") for library in ("CUDA", "cuDNN", "CUBLAS")):
        reason = text.splitlines()[0].rstrip(".")
        raise ResourceError(
            f"The device {device} failed ({reason}); start the program again, or choose another device."
        ) from error


def free_cached_memory(device: "torch.device") -> None:
    """Give torch's cached blocks back, so that smaller ones can be tried."""
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


@contextmanager
def telling_failures(device: "torch.device", work: str) -> Iterator[None]:
    """Make sentences of memory that runs out and of a device that fails, while ``work``.

    Raises
    ------
    ResourceError
        Instead of torch's error.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            check_device_works(error, device)
            raise
        raise ResourceError(
            f"Memory ran out on {device} while {work}; close other programs or choose another device."
        ) from error


def giving_memory_back(job: Job) -> Job:
    """Run a job; at its end, what torch keeps of an accelerator's memory for later goes back to other programs."""
    try:
        yield from job
    finally:
        if "torch" in sys.modules:
            import torch

            # Does nothing where no job has used a GPU.
            torch.cuda.empty_cache()


def _has_mps() -> bool:
    import torch

    return torch.backends.mps.is_available()


def _check_cuda(name: str, index: int) -> None:
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        raise ResourceError("This machine has no CUDA device that torch can use; choose auto or cpu.")
    if index >= count:
        raise ResourceError(f"There is no device {name!r}: this machine has {count} CUDA device(s), counted from 0.")


def _cgroup_number(file: str) -> int | None:
    """Return a number of the container's memory control, None if there is no limit."""
    try:
        return int((_CGROUP / file).read_text())
    except (OSError, ValueError):
        return None
