"""The training step, and what surrounds it: schedule, running average of the weights, prediction."""

import copy
import math
import threading
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from napari_medpatch.infer.device import free_cached_memory, is_out_of_memory, telling_failures
from napari_medpatch.infer.precision import Precision, autocast
from napari_medpatch.train.features import FloatArray

if TYPE_CHECKING:
    import torch
    from torch import nn

Batch = tuple["torch.Tensor", "torch.Tensor", "torch.Tensor"]
_WARM_UP = 10
_FREEZE_NORM_AT = 0.6
_MACS_PER_STEP = 2e9


class Learner:
    """A network that learns.

    Parameters
    ----------
    model : torch.nn.Module
        Trained in place; moved to the device.
    draw : callable
        Returns the next batch on the CPU: inputs ``(N, C, *spatial)``, targets ``(N, K, *spatial)`` and
        weights ``(N, *spatial)``.
    class_weight : ndarray
        ``(K,)`` float32.
    device : torch.device
        Where.
    precision : str
        ``"float32"`` or ``"bfloat16"``; weights stay float32.
    rate : float
        Highest learning rate.
    """

    def __init__(
        self,
        model: "nn.Module",
        draw: Callable[[], Batch],
        class_weight: FloatArray,
        *,
        device: "torch.device",
        precision: Precision,
        rate: float,
    ) -> None:
        import torch

        self.draw = draw
        self.device = device
        self.precision = precision
        self.steps = 0
        self.batch_pixels = 1
        self._rate = rate
        self._model = model.to(device)
        self._class_weight = torch.from_numpy(class_weight).to(device)
        self._optimiser = torch.optim.AdamW(self._model.parameters(), lr=rate, weight_decay=1e-4)
        self.average = copy.deepcopy(self._model)
        self._following = threading.Lock()

    def aim(self, draw: Callable[[], Batch], class_weight: FloatArray) -> None:
        """Go on with other targets."""
        import torch

        self.draw = draw
        self._class_weight = torch.from_numpy(class_weight).to(self.device)

    def step(self, fraction: float, threads: int | None = None) -> float:
        """Take one step.

        Parameters
        ----------
        fraction : float
            How much of the training is over, 0…1: the learning rate follows a cosine over it.
        threads : int, optional
            Of the processor; torch's own choice by default. The calling thread keeps the setting.

        Returns
        -------
        float
            The loss.
        """
        import torch

        if threads is not None:
            torch.set_num_threads(threads)
        self._model.train()
        if fraction > _FREEZE_NORM_AT:
            _freeze_norm(self._model)
        warm = min(1.0, (self.steps + 1) / _WARM_UP)
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate * warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * fraction)))
        with telling_failures(self.device, "the network was training"):
            return self._learn(*self.draw())

    def _learn(self, inputs: "torch.Tensor", targets: "torch.Tensor", weights: "torch.Tensor") -> float:
        """Take one step on a batch and return the loss."""
        import torch

        from napari_medpatch.train.losses import weighted_loss

        inputs, targets, weights = (part.to(self.device, non_blocking=True) for part in (inputs, targets, weights))
        self.batch_pixels = weights.numel()
        with autocast(self.device, self.precision):
            logits = self._model(channels_last(inputs))
        loss = weighted_loss(logits, targets, weights, self._class_weight)
        self._optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 5.0)
        self._optimiser.step()
        with self._following:
            self.steps += 1
            _follow(self.average, self._model, min(0.98, (1 + self.steps) / (10 + self.steps)))
        return float(loss.detach())

    def best_so_far(self) -> "tuple[nn.Module, int]":
        """Return a copy of the averaged network on the CPU and its steps; also while a step is under way."""
        with self._following:
            return copy.deepcopy(self.average).cpu(), self.steps

    def predict(self, inputs: FloatArray) -> Generator[None, None, FloatArray]:
        """Run the averaged network over a whole working image, yielding while it takes.

        Parameters
        ----------
        inputs : ndarray
            ``(C, *spatial)`` float32, edges multiples of the network's.

        Returns
        -------
        ndarray
            ``(K, *spatial)`` float32 probabilities.
        """
        import torch

        model = self.average.eval()
        try:
            return (yield from _predicted(model, inputs, self.device, self.precision))
        except RuntimeError as error:
            if self.device.type == "cpu" or not is_out_of_memory(error):
                raise
        # Outside the handler the failed pass's tensors are free.
        free_cached_memory(self.device)
        return (yield from _predicted(copy.deepcopy(model).cpu(), inputs, torch.device("cpu"), "float32"))


def _predicted(
    model: "nn.Module", inputs: FloatArray, device: "torch.device", precision: Precision
) -> Generator[None, None, FloatArray]:
    import torch

    steps = _network_steps(model, channels_last(torch.from_numpy(inputs)[None].to(device)))
    while True:
        # Entered anew for each step: a context held over a yield would leak into whoever iterates.
        with torch.inference_mode(), autocast(device, precision):
            try:
                next(steps)
            except StopIteration as end:
                result: FloatArray = end.value.float().softmax(dim=1)[0].cpu().numpy()
                return result
        yield


def channels_last(batch: "torch.Tensor") -> "torch.Tensor":
    """Return a batch in the memory order in which convolutions are fastest, on CPUs most of all."""
    import torch

    return batch.contiguous(memory_format=torch.channels_last_3d if batch.ndim == 5 else torch.channels_last)


def _network_steps(model: "nn.Module", batch: "torch.Tensor") -> "Generator[float, None, torch.Tensor]":
    from napari_medpatch.infer.stepwise_layers import unet_steps
    from napari_medpatch.models.unet_layers import UNet

    if batch.device.type == "cpu" and isinstance(model, UNet):
        return unet_steps(model, batch, _MACS_PER_STEP)
    return _whole(model, batch)


def _whole(model: "nn.Module", batch: "torch.Tensor") -> "Generator[float, None, torch.Tensor]":
    yield 0.0
    result: torch.Tensor = model(batch)
    return result


def _freeze_norm(model: "nn.Module") -> None:
    """Keep BatchNorm's statistics: towards the end, train with what the network is used with."""
    from torch import nn

    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            module.eval()


def _follow(average: "nn.Module", model: "nn.Module", decay: float) -> None:
    """Move the running average towards the model; BatchNorm's statistics are averages already."""
    import torch

    with torch.no_grad():
        for mean, now in zip(average.parameters(), model.parameters(), strict=True):
            mean.lerp_(now, 1 - decay)
        for statistic, latest in zip(average.buffers(), model.buffers(), strict=True):
            statistic.copy_(latest)
