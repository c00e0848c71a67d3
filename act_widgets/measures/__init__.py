"""Numbers that each call of a model has: what it holds, what it costs, and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..errors import InputError, listed, nearest
from ..keys import Target
from ..reading.reader import Reader
from ..reading.shared import followed
from .flops import FLOPS
from .measure import Asked, Measure, Measured, Partial
from .memory import BYTES
from .parameters import PARAMETERS
from .sensitivity import GRADIENT, RELEVANCE
from .timing import TIME
from .zeros import DEAD, SPARSITY

MEASURES: dict[str, Measure] = {
    measure.name: measure for measure in (PARAMETERS, BYTES, TIME, FLOPS, SPARSITY, DEAD, GRADIENT, RELEVANCE)
}


def measure_steps(
    reader: Reader, name: str, sample: int, target: Callable[[], int | Target]
) -> Iterator[Partial]:
    """Yield a measurement as it comes to be: ``.result``, ``.share`` of the work done, ``.words``.

    What others measure just now is not measured twice: it goes on from there.

    Parameters
    ----------
    reader : Reader
        The model and its batch.
    name : str
        One of `MEASURES`.
    sample : int
        Number of the sample, where the measure is of one.
    target : callable
        Returns what is explained; called where the measure is of that.

    Raises
    ------
    InputError
        If there is no such measure or sample.
    """
    if name not in MEASURES:
        raise InputError(
            f"There is no measure {name!r}. Expected: {listed(nearest(str(name), MEASURES, len(MEASURES)))}."
        )
    chosen = MEASURES[name]
    asked = Asked(reader, reader.check_sample(sample), target() if chosen.per_target else 0)
    kept = reader.cache.get(("measured", name)) if chosen.is_kept else None
    if kept is not None:
        yield Partial(kept)
        return
    of_sample = asked.sample if chosen.per_sample or chosen.per_target else None
    key = "measured", name, of_sample, asked.target
    for step in followed(reader.under_way, key, chosen.run(asked)):
        if chosen.is_kept and step.share >= 1:
            reader.cache.put(("measured", name), step.result)
        yield step


def measure(
    reader: Reader,
    name: str,
    sample: int,
    target: Callable[[], int | Target],
    on_progress: Callable[[float, str], None] | None = None,
) -> Measured:
    """Return a number for each call; for parameters see `measure_steps`.

    `on_progress` is told the share that is done, and what, between parts of the work. What it raises ends
    the work.
    """
    for last in measure_steps(reader, name, sample, target):
        if on_progress is not None:
            on_progress(last.share, last.words)
    return last.result


__all__ = ["MEASURES", "Measure", "Measured", "Partial", "measure", "measure_steps"]
