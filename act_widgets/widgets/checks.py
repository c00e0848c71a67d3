"""What is found out about a map: whether the score follows it, and whether it follows the model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from ..attribution import METHODS, Attribution
from ..attribution.trust import DELETION, INSERTION, Curve, likeness
from ..errors import ActWidgetsError, MovedOnError
from ..keys import Target
from ..session import Session
from .asked import Asked
from .stage import Stage

CURVES, SHUFFLED, OTHER, COMPLETE = "Curves", "Shuffled weights", "Another class", "Completeness"


@dataclass(frozen=True)
class Checks:
    """What was found out about a map.

    Attributes
    ----------
    result : Attribution or None
        What is checked; None for nothing.
    maps : list of (str, Attribution)
        The map, and those beside it, with their names.
    curves : list of Curve
        Deletion and insertion.
    findings : list of str
        In words.
    are_probabilities : bool
        Whether the scores of the curves are.
    """

    result: Attribution | None = None
    maps: list[tuple[str, Attribution]] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    are_probabilities: bool = False

    @property
    def checked(self) -> Attribution:
        """What is checked."""
        assert self.result is not None, "the map is made first"
        return self.result

    @property
    def compared(self) -> list[tuple[str, Attribution]]:
        """The map and those beside it; nothing while it is alone."""
        return self.maps if len(self.maps) > 1 else []

    @property
    def heights(self) -> tuple[float, float]:
        """Lowest and highest score of a chart of the curves: 0 and 1 for probabilities."""
        scores = np.concatenate([curve.scores for curve in self.curves])
        low, high = min(0.0, float(np.nanmin(scores))), float(np.nanmax(scores))
        is_usual = self.are_probabilities and low == 0 and high <= 1
        return low, 1.0 if is_usual else max(high, low + 1e-9)

    def found(self, words: str) -> Checks:
        """Return the same with one finding more."""
        return replace(self, findings=[*self.findings, words])


Found = Iterator[tuple[float, str, Checks]]
Check = Callable[[Asked, Checks], Found]


class Checker:
    """Checks maps of one session, one check after the other.

    Parameters
    ----------
    session : Session
        The model and batch.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._other: tuple[tuple[int, int], Session] | None = None
        self._checks: dict[str, Check] = {
            CURVES: self._curves,
            SHUFFLED: self._shuffled,
            OTHER: self._another,
            COMPLETE: self._completeness,
        }

    def seconds(self, asked: Asked, wished: tuple[str, ...]) -> float:
        """Return how long the maps take that are wished for and not kept."""
        costs = [asked.estimate(self.session)]
        other = self._second(asked)
        if OTHER in wished and other is not None:
            costs.append(replace(asked, target=other).estimate(self.session))
        if SHUFFLED in wished:
            made = self._other is not None and self._other[0] == self._now
            costs.append(
                asked.estimate(self._shuffled_session()) if made else asked.estimate(self.session, anew=True)
            )
        return sum(cost.seconds for cost in costs)

    def stages(self, asked: Asked, wished: tuple[str, ...]) -> Iterator[Stage]:
        """Yield what is found out; a check that fails says so, and the others go on."""
        checks = Checks()
        parts: list[Check] = [self._map, *(self._checks[name] for name in wished)]
        for number, part in enumerate(parts):
            try:
                for share, words, found in part(asked, checks):
                    checks = found
                    yield Stage(checks, min((number + share) / len(parts), 0.999), words)
            except ActWidgetsError as error:
                if checks.result is None or isinstance(error, MovedOnError):
                    raise
                checks = checks.found(f"{wished[number - 1]}: {error}")
        yield Stage(checks)

    def _map(self, asked: Asked, checks: Checks) -> Found:
        for part in asked.steps(self.session):
            yield part.share, f"the map itself: {part.words}", checks
        is_class = not isinstance(asked.target, Target)
        yield (
            1.0,
            "the map itself",
            Checks(
                part.result,
                [("this map", part.result)],
                are_probabilities=is_class and self.session.head.probabilities,
            ),
        )

    def _curves(self, asked: Asked, checks: Checks) -> Found:
        done: list[Curve] = []
        for number, kind in enumerate((DELETION, INSERTION)):
            for curve in self.session.curve_steps(checks.checked, asked.sample, kind):
                known = np.isfinite(curve.scores).mean()
                yield (number + known) / 2, f"{kind} curve", replace(checks, curves=[*done, curve])
            done.append(curve)
        words = (
            f"Area under the deletion curve {done[0].area:.3g} (smaller is better), under the "
            f"insertion curve {done[1].area:.3g} (larger is better). Places of equal value go in a random "
            "order."
        )
        yield 1.0, "", replace(checks, curves=done).found(words)

    def _shuffled(self, asked: Asked, checks: Checks) -> Found:
        session = self._shuffled_session()
        for part in asked.steps(session):
            yield part.share, f"shuffled weights: {part.words}", checks
        yield 1.0, "", _beside(checks, "weights shuffled", part.result, "with all weights shuffled")

    def _shuffled_session(self) -> Session:
        """Return the session with shuffled weights, made once for these inputs and weights."""
        if self._other is None or self._other[0] != self._now:
            self._other = self._now, self.session.shuffled()
        return self._other[1]

    @property
    def _now(self) -> tuple[int, int]:
        """What the session reads just now."""
        return id(self.session.reader), self.session.version

    def _another(self, asked: Asked, checks: Checks) -> Found:
        other = self._second(asked)
        if other is None:
            name = self.session.target_name(asked.target)
            yield (
                1.0,
                "",
                checks.found(f"No other to compare with: {name} is the only one."),
            )
            return
        name = self.session.target_name(other)
        for part in replace(asked, target=other).steps(self.session):
            yield part.share, f"{name}: {part.words}", checks
        yield 1.0, "", _beside(checks, name, part.result, f"of “{name}”")

    def _second(self, asked: Asked) -> int | Target | None:
        """Return the best of the other classes; of a layer's channels the next one, if there is another."""
        if isinstance(asked.target, Target):
            count = self.session.reader.channels(asked.target.layer or "")
            return replace(asked.target, unit=(asked.target.unit + 1) % count) if count > 1 else None
        values = self.session.predictions(asked.sample)
        if len(values) == 1:
            return 1 - asked.target
        order = np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable").tolist()
        return next(unit for unit in order if unit != asked.target)

    def _completeness(self, asked: Asked, checks: Checks) -> Found:
        own = asked.method == "integrated_gradients"
        question = replace(asked, method="integrated_gradients", layer=None, chosen="", parameters=())
        for part in (asked if own else question).steps(self.session):
            yield part.share, f"integrated gradients: {part.words}", checks
        finding = part.result.remarks[0]
        if not own:
            title = METHODS[asked.method].title
            finding = f"{title} does not add up to the score; integrated gradients do. {finding}"
        yield 1.0, "", checks.found(finding)


def _beside(checks: Checks, name: str, result: Attribution, words: str) -> Checks:
    """Return checks with another map beside the one that is checked."""
    alike = likeness(checks.checked.maps[0], result.maps[0])
    if np.isfinite(alike):
        finding = f"Correlation with the map {words}: {alike:.2f}" + (
            ". A map that hardly changes does not show what it should." if alike > 0.8 else "."
        )
    else:
        finding = f"The map {words} is blank. {result.blank_reason(0) or ''}"
    return replace(checks, maps=[*checks.maps, (name, result)]).found(finding)
