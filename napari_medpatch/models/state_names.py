"""Names of tensors in weights that another program saved.

Training code wraps networks: Lightning saves ``model.``, DataParallel ``module.``, compiled networks
``_orig_mod.``, own classes ``backbone.`` or ``net.``, often with a head of another name beside it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

_PROBES = 8


def match_names(wanted: Sequence[str], found: Iterable[str]) -> dict[str, str]:
    """Say which tensor of a file is which tensor of a network.

    Parameters
    ----------
    wanted : sequence of str
        Names in the network, in its order.
    found : iterable of str
        Names in the file.

    Returns
    -------
    dict
        From names in the file to names in the network. A prefix that the file puts before all of them is
        taken away; a head of another name is recognised if it is the only layer left over. Tensors beside
        the prefixed network (a loss's, an averaged copy) are left out; those within it keep their name, so
        that a network of another kind is noticed.
    """
    names = list(found)
    prefix = _prefix(wanted, names)
    pairs = {prefix + name: name for name in wanted if prefix + name in set(names)}
    missing = [name for name in wanted if prefix + name not in pairs]
    rest = [name for name in names if name not in pairs]
    pairs |= _head(missing, rest)
    return pairs | {name: name.removeprefix(prefix) for name in rest if name not in pairs and name.startswith(prefix)}


def head_rows(head: str, shapes: Mapping[str, tuple[int, ...]]) -> int | None:
    """Return the number of outputs of a file's classification layer, None if it has no layer of that name.

    Parameters
    ----------
    head : str
        timm's name of the layer, such as ``"head.fc"``.
    shapes : mapping
        Of the file's tensors by name.
    """
    for leaf in ("bias", "weight"):
        ends = [name for name in shapes if name == f"{head}.{leaf}" or name.endswith(f".{head}.{leaf}")]
        if ends:
            return shapes[min(ends, key=len)][0]
    return None


def _prefix(wanted: Sequence[str], names: Sequence[str]) -> str:
    """Return what stands before the network's names in the file: the prefix that fits most of them."""
    candidates = Counter[str]()
    for probe in wanted[:_PROBES]:
        candidates.update(name.removesuffix(probe) for name in names if name == probe or name.endswith("." + probe))
    present = set(names)

    def fit(prefix: str) -> tuple[int, int]:
        return sum(prefix + name in present for name in wanted), -len(prefix)

    return max(candidates, key=fit, default="")


def _head(missing: Sequence[str], rest: Sequence[str]) -> dict[str, str]:
    """Match the one layer that the network lacks with the one layer that is left over in the file."""
    lacking = {name.rpartition(".")[0] for name in missing}
    leaves = {name.rpartition(".")[2] for name in missing}
    stems = {name.rpartition(".")[0] for name in rest}
    fitting = [stem for stem in stems if {f"{stem}.{leaf}" for leaf in leaves} <= set(rest)]
    if len(lacking) != 1 or len(fitting) != 1:
        return {}
    return {f"{fitting[0]}.{leaf}": f"{next(iter(lacking))}.{leaf}" for leaf in leaves}
