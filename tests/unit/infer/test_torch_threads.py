import threading

import torch

from napari_medpatch.infer.torch_threads import torch_threads


def _in_thread(work) -> list[int]:
    found: list[int] = []
    thread = threading.Thread(target=lambda: work(found))
    thread.start()
    thread.join()
    return found


def test_the_number_holds_in_one_thread_only() -> None:
    before = torch.get_num_threads()
    others = []

    def limited(found: list[int]) -> None:
        with torch_threads(3):
            found.append(torch.get_num_threads())
            others.extend(_in_thread(lambda new: new.append(torch.get_num_threads())))
        found.append(torch.get_num_threads())

    assert _in_thread(limited) == [3, before]
    assert others == [before]
    assert torch.get_num_threads() == before
    assert _in_thread(lambda new: new.append(torch.get_num_threads())) == [before]
