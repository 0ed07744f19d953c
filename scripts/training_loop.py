"""The training loop that all shipped models share; seeded, on the CPU, free of any data set."""

import copy
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import nn

from napari_medpatch.infer.precision import autocast, training_precision

Draw = Callable[[np.random.Generator], tuple[torch.Tensor, torch.Tensor]]
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


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
        Gives one batch ``(input, target)``.
    loss : callable
        Of ``(output, target)``.
    steps, rate, seed
        Number of steps, highest learning rate, seed of the draws.
    freeze_norm_at : float
        Part of the steps after which BatchNorm is frozen.
    decay : float
        Of the running average.
    report : callable, optional
        Called as ``report(step, averaged)`` every ``report_every`` steps.
    """
    rng = np.random.default_rng(seed)
    precision = training_precision(torch.device("cpu"))
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-3)
    averaged, losses, begun = copy.deepcopy(net), [], time.monotonic()
    layout = torch.channels_last_3d if any(isinstance(m, nn.Conv3d) for m in net.modules()) else torch.channels_last
    net.to(memory_format=layout)
    for step, (inputs, targets) in enumerate(_drawn_ahead(draw, rng, steps)):
        net.train()
        if step >= freeze_norm_at * steps:
            _freeze_norm(net)
        for group in optimiser.param_groups:
            group["lr"] = _rate(step, steps, rate)
        with autocast(torch.device("cpu"), precision):
            output = net(inputs.contiguous(memory_format=layout))
        value = loss(output.float(), targets)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimiser.step()
        _average(averaged, net, min(decay, (1 + step) / (10 + step)))
        losses.append(float(value.detach()))
        if (step + 1) % 25 == 0:
            spent = time.monotonic() - begun
            print(f"step {step + 1}/{steps}  loss {np.mean(losses[-50:]):.4f}  {spent:.0f} s", flush=True)
        if report and (step + 1) % report_every == 0:
            report(step + 1, averaged.eval())
    return averaged.eval()


def _drawn_ahead(draw: Draw, rng: np.random.Generator, steps: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Give the batches in order; the next one is drawn while the network learns from the last."""
    with ThreadPoolExecutor(1) as worker:
        following = worker.submit(draw, rng)
        for step in range(steps):
            batch = following.result()
            if step + 1 < steps:
                following = worker.submit(draw, rng)
            yield batch


def _rate(step: int, steps: int, highest: float) -> float:
    warm = min(1.0, (step + 1) / 30)
    return highest * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))


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
