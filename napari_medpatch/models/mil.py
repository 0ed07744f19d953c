"""Slide classifiers: gated attention over the patches of a slide.

Ilse, Tomczak & Welling, *Attention-based Deep Multiple Instance Learning*, ICML 2018 (arXiv 1802.04712):
one label per slide, no label per patch; an attention network says how much each patch counts. The same
design, over the tiles of a slide, is what public notebooks for the STRIP AI challenge (origin of a blood
clot) train.
"""

from typing import TYPE_CHECKING, Any

from napari_medpatch.errors import BundleError
from napari_medpatch.models.classifiers import POOLINGS, Pooling, check_architecture, create_timm

if TYPE_CHECKING:
    from napari_medpatch.models.mil_layers import AttentionMil


def build_mil(
    architecture: str,
    num_classes: int,
    *,
    pretrained: bool = False,
    attention: int = 128,
    dropout: float = 0.0,
    pooling: Pooling = "avg",
    **options: Any,
) -> "AttentionMil":
    """Build a gated attention network over a timm backbone.

    Parameters
    ----------
    architecture : str
        timm name of the backbone, for example ``"resnet18"``.
    num_classes : int
        Classes of a slide.
    pretrained : bool
        Let timm fetch the backbone's weights (from its cache, or the network).
    attention : int
        Width of the attention network's hidden layer (128 in the paper).
    dropout : float
        On a patch's features, while training.
    pooling : str
        ``"avg"``, ``"max"`` or ``"avgmax"``, of the backbone's feature maps.
    **options
        Passed to ``timm.create_model`` (for example ``in_chans``).

    Returns
    -------
    AttentionMil
        ``(N, 3, Y, X)`` float to ``(N, num_classes + 1)``; in training mode.

    Raises
    ------
    BundleError
        If the name or an option is unknown, or pretrained weights cannot be fetched.
    """
    if num_classes < 1 or attention < 1 or pooling not in POOLINGS or not 0 <= dropout < 1:
        raise BundleError(
            f"No slide classifier with {num_classes} classes, attention {attention}, dropout {dropout}, pooling "
            f"{pooling!r} can be built; pooling is one of {', '.join(POOLINGS)}."
        )
    check_architecture(architecture)
    from napari_medpatch.models.mil_layers import AttentionMil

    backbone = create_timm(architecture, pretrained, num_classes=0, **options)
    return AttentionMil(backbone, num_classes, attention=attention, dropout=dropout, pooling=pooling)
