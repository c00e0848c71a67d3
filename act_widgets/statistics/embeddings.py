"""Ways from many columns to two: PCA, t-SNE and UMAP, each by the library that is made for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError, listed, nearest

# Rows or columns up to which all directions are found, of which two are wanted.
_FEW = 500
_SEED = {"seed": 0}


class Embedded(NamedTuple):
    """Where rows of a table lie in the plane.

    Attributes
    ----------
    points : (rows, 2) ndarray
        A single direction has zeros beside it.
    words : str
        With which numbers it was made, and what came out.
    explained : tuple of float or None
        The shares of the variance that lie along the two axes, of PCA.
    divergence : float or None
        That of Kullback and Leibler, of t-SNE.
    """

    points: np.ndarray
    words: str
    explained: tuple[float, float] | None = None
    divergence: float | None = None


@dataclass(frozen=True)
class Method:
    """A way to two columns.

    Attributes
    ----------
    name, title : str
        As in the public interface, and as on the screen.
    embed : callable
        From a table and the parameters to an `Embedded`.
    least : int
        Samples that it needs.
    module, extra : str
        What it imports, and the extra of this package that brings it.
    parameters : dict
        Names of what else it takes, with what is taken if nothing is said; None for what fits the batch.
    advice : str
        How not to read it.
    """

    name: str
    title: str
    embed: Callable[..., Embedded]
    least: int
    module: str
    extra: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    advice: str = ""

    @property
    def missing(self) -> str:
        """How to get the library that it needs; empty if that is installed."""
        if find_spec(self.module) is not None:
            return ""
        library = {"sklearn": "scikit-learn", "umap": "umap-learn"}[self.module]
        return f'{self.title} needs {library}: pip install "act-widgets[{self.extra}]"'

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters, or raise an `InputError`."""
        known = {"standardise": False, **self.parameters}
        for name, value in given.items():
            if name not in known:
                raise InputError(
                    f"{self.title} has no parameter '{name}'. Expected: "
                    f"{listed(nearest(name, known, len(known)))}."
                )
            known[name] = _CHECKS[name](name, value)
        return known


def _switch(name: str, value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise InputError(f"A switch is on or off. Received: {name}={value!r:.80}. Expected: True or False.")


def _count(name: str, value: Any) -> int | None:
    least = {"seed": 0, "neighbours": 2}[name]
    if value is None and name != "seed":
        return None
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if is_whole and least <= value < 2**32:
        return int(value)
    raise InputError(
        f"The parameter '{name}' is a whole number. Received: {name}={value!r:.80}. "
        f"Expected: an integer of {least} or more."
    )


def _perplexity(name: str, value: Any) -> float | None:
    if value is None:
        return None
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if is_number and 1 <= value < np.inf:
        return float(value)
    raise InputError(
        f"The perplexity is how many neighbours count, roughly. Received: {name}={value!r:.80}. "
        "Expected: a number of 1 or more, below the number of samples, or None for what fits."
    )


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "standardise": _switch,
    "seed": _count,
    "neighbours": _count,
    "perplexity": _perplexity,
}


def _below(name: str, value: float, samples: int) -> None:
    if value >= samples:
        raise InputError(
            f"There are too few samples for that. Received: {name}={value:g} for {samples} samples. "
            f"Expected: {name} below {samples}, or None for what fits."
        )


def _pca(table: np.ndarray) -> Embedded:
    from sklearn.decomposition import PCA

    wanted, least = min(2, *table.shape), min(table.shape)
    # Both are exact; the second one finds no more directions than are wanted.
    solver = "full" if least <= _FEW else "arpack"
    fitted = PCA(wanted, svd_solver=solver, random_state=0)
    points = np.zeros((len(table), 2))
    points[:, :wanted] = fitted.fit_transform(table)
    first, second = [*fitted.explained_variance_ratio_.tolist(), 0.0][:2]
    words = f"The axes hold {first:.1%} and {second:.1%} of the variance."
    return Embedded(points, words, explained=(first, second))


def _tsne(table: np.ndarray, perplexity: float | None, seed: int) -> Embedded:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    samples = len(table)
    used = min(30.0, (samples - 1) / 3) if perplexity is None else perplexity
    _below("perplexity", used, samples)
    first = "pca" if table.shape[1] > 1 else "random"
    fitted = TSNE(perplexity=used, random_state=seed, init=first)
    # Several threads add in another order: another picture on a machine with more cores.
    with threadpool_limits(1, user_api="openmp"):
        points = fitted.fit_transform(table)
    divergence = float(fitted.kl_divergence_)
    words = f"Perplexity {used:.3g}, seed {seed}; Kullback-Leibler divergence {divergence:.3g}."
    return Embedded(points, words, divergence=divergence)


def _umap(table: np.ndarray, neighbours: int | None, seed: int) -> Embedded:
    from umap import UMAP

    samples = len(table)
    used = min(15, samples - 1) if neighbours is None else neighbours
    _below("neighbours", used, samples)
    points = UMAP(n_neighbors=used, random_state=seed, n_jobs=1).fit_transform(table)
    return Embedded(points, f"{used} neighbours, seed {seed}.")


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("pca", "PCA", _pca, 2, "sklearn", "samples"),
        Method(
            "tsne",
            "t-SNE",
            _tsne,
            4,
            "sklearn",
            "samples",
            {"perplexity": None, **_SEED},
            "Neighbours are alike; sizes of groups and distances between them mean little.",
        ),
        Method(
            "umap",
            "UMAP",
            _umap,
            4,
            "umap",
            "umap",
            {"neighbours": None, **_SEED},
            "Neighbours are alike; sizes of groups and distances between them mean little.",
        ),
    )
}


def checked_method(name: str) -> Method:
    """Return the method of a name, or raise an `InputError`."""
    if isinstance(name, str) and name in METHODS:
        return METHODS[name]
    raise InputError(f"No method of projection {name!r:.80}. Expected: {listed(METHODS)}.")


def embedded(method: Method, table: np.ndarray, params: Mapping[str, Any]) -> Embedded:
    """Return where the rows of a table lie in the plane.

    Parameters
    ----------
    method : Method
    table : (rows, columns) float64 ndarray
        Finite numbers. Standardising changes them in place.
    params : mapping
        All parameters, checked.

    Raises
    ------
    ImportError
        If the library that it needs is not installed; the message has the command.
    InputError
        If a parameter does not fit the number of rows.
    """
    rest = dict(params)
    if rest.pop("standardise"):
        table -= table.mean(0)
        spread = table.std(0)
        table /= np.where(spread > 0, spread, 1)
    if not np.ptp(table, axis=0).any():
        return Embedded(np.zeros((len(table), 2)), "All samples are the same here, so all points are one.")
    try:
        found = method.embed(table, **rest)
    except ImportError as error:
        install = method.missing or f'Install it with: pip install "act-widgets[{method.extra}]"'
        raise ImportError(f"{method.title} can't be computed ({error}). {install}") from error
    if not np.isfinite(found.points).all():
        raise InputError(
            f"The numbers are too large for {method.title}. Received: values up to "
            f"{np.abs(table).max():.3g}. Expected: another layer, or standardise=True."
        )
    return found
