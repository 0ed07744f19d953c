"""TorchScript that convolves in float32 where the caller wants float32.

On GPUs torch may round the factors of float32 convolutions to TensorFloat-32, 10 bits. Python's convolutions ask a
switch each time; a tracer writes the switch of its day, on by default, into the program, which is then deaf to it:
ResNet18 differed by 2e-3 from its own probabilities on a processor.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

_ALLOW_TF32 = 12
"""Place of the switch among what ``aten::_convolution`` takes."""


def convolve_in_float32(script: "nn.Module") -> None:
    """Switch TensorFloat-32 off in a TorchScript module, in place.

    Convolutions in lower precision, under autocast, do not look at the switch.

    Parameters
    ----------
    script : torch.jit.ScriptModule
        Not run yet: torch keeps programs that ran.
    """
    for graph in _graphs(script):
        for node in graph.findAllNodes("aten::_convolution"):
            if len(list(node.inputs())) > _ALLOW_TF32:
                with graph.insert_point_guard(node):
                    off = graph.insertConstant(False)
                node.replaceInput(_ALLOW_TF32, off)


def _graphs(script: "nn.Module") -> Iterator[Any]:
    """Yield the program of each part that has one."""
    for part in script.modules():
        try:
            yield part.graph
        except (RuntimeError, AttributeError):
            continue  # a layer that nothing calls
