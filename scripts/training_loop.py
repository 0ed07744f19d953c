"""The training loop that all shipped models share; seeded, free of any data set."""

import copy
import math
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from napari_medpatch.infer.precision import autocast, training_precision

Batch = tuple[torch.Tensor, torch.Tensor]
Draw = Callable[[np.random.Generator], Batch]
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
_draw: Draw
"""What a drawing process draws with."""


def fit(
    net: nn.Module,
    draw: Draw,
    loss: Loss,
    *,
    steps: int,
    rate: float,
    seed: int,
    freeze_norm_at: float = 0.5,
    decay: float = 0.99,
    seconds: float | None = None,
    workers: int = 0,
    report: Callable[[int, nn.Module], None] | None = None,
    report_every: int = 250,
) -> nn.Module:
    """Train with AdamW on a cosine and return the running average of the weights.

    Where the processor multiplies bfloat16 itself, the network computes in it; weights and loss are float32.
    Batches are small, so BatchNorm learns its statistics in the first part and keeps them for the rest:
    the network is then trained with exactly the statistics that it is used with.

    Parameters
    ----------
    net : torch.nn.Module
        Trained in place.
    draw : callable
        Gives one batch ``(input, target)``; each step has a generator of its own, so that the batches do not depend
        on who draws them.
    loss : callable
        Of ``(output, target)``.
    steps, rate, seed
        Number of steps, highest learning rate, seed of the draws.
    freeze_norm_at : float
        Part of the steps after which BatchNorm is frozen.
    decay : float
        Of the running average.
    seconds : float, optional
        Follow the clock instead of the steps, which are then the most that are taken.
    workers : int
        Processes that draw; by default a thread draws the next batch while the network learns from the last.
    report : callable, optional
        Called as ``report(steps, averaged)`` every ``report_every`` steps and after the last.
    """
    device = next(net.parameters()).device
    precision = training_precision(device)
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-3)
    averaged, losses, begun = copy.deepcopy(net), [], time.monotonic()
    layout = torch.channels_last_3d if any(isinstance(m, nn.Conv3d) for m in net.modules()) else torch.channels_last
    net.to(memory_format=layout)
    for step, (inputs, targets) in enumerate(_drawn_ahead(draw, seed, steps, workers)):
        done = step / steps if seconds is None else (time.monotonic() - begun) / seconds
        if done >= 1:
            break
        net.train()
        if done >= freeze_norm_at:
            _freeze_norm(net)
        for group in optimiser.param_groups:
            group["lr"] = _rate(step, done, rate)
        with autocast(device, precision):
            output = net(inputs.to(device).float().contiguous(memory_format=layout))
        value = loss(output.float(), targets.to(device).float())
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimiser.step()
        _average(averaged, net, min(decay, (1 + step) / (10 + step)))
        losses.append(value.detach())
        if len(losses) % 25 == 0:
            spent, recent = time.monotonic() - begun, float(torch.stack(losses[-50:]).mean())
            print(f"step {len(losses)}/{steps}  loss {recent:.4f}  {spent:.0f} s", flush=True)
        if report and len(losses) % report_every == 0:
            report(len(losses), averaged.eval())
    if report:
        report(len(losses), averaged.eval())
    return averaged.eval()


def _drawn_ahead(draw: Draw, seed: int, steps: int, workers: int) -> Iterator[Batch]:
    """Give the batches in order, drawn before they are needed."""
    if workers == 0:
        with ThreadPoolExecutor(1) as thread:
            yield from _as_ready(thread, lambda key: draw(np.random.default_rng(key)), seed, steps, ahead=1)
        return
    # Fork: what is drawn from is large, and is shared that way.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), _begin_drawing, (draw,)) as pool:
        try:
            for inputs, targets in _as_ready(pool, _drawn, seed, steps, ahead=2 * workers):
                yield torch.from_numpy(inputs), torch.from_numpy(targets)
        finally:
            pool.shutdown(cancel_futures=True)  # whoever goes by the clock leaves some undrawn


def _as_ready(
    pool: Executor, draw: Callable[[list[int]], Any], seed: int, steps: int, ahead: int
) -> Iterator[tuple[Any, Any]]:
    waiting: deque[Future[tuple[Any, Any]]] = deque()
    for step in range(steps + ahead):
        if step < steps:
            waiting.append(pool.submit(draw, [seed, step]))
        if step >= ahead:
            yield waiting.popleft().result()


def _begin_drawing(draw: Draw) -> None:
    global _draw
    _draw = draw
    torch.set_num_threads(1)


def _drawn(key: list[int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw in another process; arrays travel through pipes, so that no shared memory is needed."""
    inputs, targets = _draw(np.random.default_rng(key))
    return inputs.numpy(), targets.numpy()


def _rate(step: int, done: float, highest: float) -> float:
    warm = min(1.0, (step + 1) / 30)
    return highest * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def _freeze_norm(net: nn.Module) -> None:
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.eval()


@torch.no_grad()
def _average(averaged: nn.Module, net: nn.Module, decay: float) -> None:
    """Move the running average towards the network; the statistics of BatchNorm are copied."""
    for mean, now in zip(averaged.parameters(), net.parameters(), strict=True):
        mean.lerp_(now, 1 - decay)
    for mean, now in zip(averaged.buffers(), net.buffers(), strict=True):
        mean.copy_(now)


def kept_readme(folder: Path) -> str | None:
    """Return the model card that lies in a bundle folder, so that training anew keeps its text."""
    file = folder / "README.md"
    return file.read_text(encoding="utf-8") if file.is_file() else None


def soft_segmentation_loss(logits: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Return cross entropy plus soft Dice against soft truth of one foreground class.

    Parameters
    ----------
    logits : Tensor
        ``(N, 2, *spatial)``.
    share : Tensor
        ``(N, *spatial)``, share of each voxel that is foreground; negative where it does not count.
    """
    counts = (share >= 0).float()
    share = share.clamp_min(0)
    logs = torch.log_softmax(logits.float(), dim=1)
    entropy = -(share * logs[:, 1] + (1 - share) * logs[:, 0])
    entropy = (entropy * counts).sum() / counts.sum().clamp_min(1)
    found = logs[:, 1].exp() * counts
    overlap = 2 * (found * share).sum() + 100
    return entropy + 1 - overlap / (found.sum() + (share * counts).sum() + 100)
