"""Reaching a cluster, or saying why not."""

import builtins
import json
from pathlib import Path
from typing import Any

import pytest

from napari_medpatch.cohort import connect as cohort_connect
from napari_medpatch.cohort.connect import connected, resources_for, slots_of
from napari_medpatch.errors import ClusterError

GPU = {"resources": {"GPU": 2}, "nthreads": 8}
CPU = {"resources": {}, "nthreads": 4}


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(cohort_connect, "CONNECT_SECONDS", 0.5)
    with pytest.raises(ClusterError, match=r"tcp://127\.0\.0\.1:9.*check the address"):
        connected("tcp://127.0.0.1:9").__enter__()


def test_an_address_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(cohort_connect, "CONNECT_SECONDS", 0.5)
    with pytest.raises(ClusterError, match="nonsense"):
        connected("nonsense://x").__enter__()


def test_without_distributed_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def refuse(name: str, *args: Any, **options: Any) -> Any:
        if name.startswith("distributed"):
            raise ImportError("No module named 'distributed'")
        return imported(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ClusterError, match=r"napari-medpatch\[cluster\]"):
        connected("tcp://127.0.0.1:9").__enter__()


def test_a_scheduler_file_is_taken_for_an_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(cohort_connect, "CONNECT_SECONDS", 0.5)
    file = tmp_path / "cluster.json"
    file.write_text(json.dumps({"address": "tcp://127.0.0.1:9"}))
    with pytest.raises(ClusterError, match=r"cluster\.json"):
        connected(file).__enter__()


def test_a_client_is_left_open() -> None:
    client = object()
    with connected(client) as found:
        assert found is client


@pytest.mark.parametrize(
    ("workers", "device", "asked", "slots"),
    [
        ([GPU, GPU, CPU], "auto", {"GPU": 1}, 4),
        ([GPU, CPU], "cpu", {}, 12),
        ([CPU, CPU], "cuda", {}, 8),
        ([{}], "auto", {}, 1),
        ([], "auto", {}, 0),
    ],
)
def test_what_slides_ask_for_and_how_many_fit(workers: list[Any], device: str, asked: Any, slots: int) -> None:
    by_address = {f"tcp://node{n}:1": worker for n, worker in enumerate(workers)}
    assert resources_for(by_address, device) == asked
    assert slots_of(by_address, asked) == slots
