"""Why a widget is blank here, and how to mend it."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from .. import __version__
from . import kernel, packages, server
from .problem import Problem


@dataclass(frozen=True)
class Report:
    """What is installed and runs here, and what of it does not fit. It prints itself.

    Attributes
    ----------
    problems : tuple of Problem
        What does not fit, the worst first, each with ``.what``, ``.fix`` and ``.then``.
    facts : mapping of str to (mapping of str to str)
        What was found, by section: ``"Python"``, ``"Kernel"``, ``"Packages"``, ``"Page"``.
    advice : tuple of str
        What else may help here.
    """

    problems: tuple[Problem, ...]
    facts: Mapping[str, Mapping[str, str]]
    advice: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was found that does not fit."""
        return not self.problems

    @property
    def verdict(self) -> str:
        """How many things do not fit, in a sentence."""
        if self.ok:
            return "Nothing was found that does not fit."
        one = len(self.problems) == 1
        return f"{len(self.problems)} thing{'' if one else 's'} {'does' if one else 'do'} not fit:"

    def __str__(self) -> str:
        found = [f"{number}. {problem}" for number, problem in enumerate(self.problems, 1)]
        rows = [(section, *pair) for section, pairs in self.facts.items() for pair in pairs.items()]
        width = max(len(name) for _, name, _ in rows)
        lines, last = [], ""
        for section, name, value in rows:
            lines += [section] if section != last else []
            lines.append(f"  {name:<{width}}  {value}")
            last = section
        return "\n".join([self.verdict, *found, "", *lines, "", *self.advice])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        found = "".join(
            f"<li>{escape(p.what)}<pre style='{_CODE}'>{escape(p.fix)}</pre>{escape(p.then)}</li>"
            for p in self.problems
        )
        sections = "".join(
            f"<tr><th colspan='2' style='{_LEFT}'>{escape(section)}</th></tr>"
            + "".join(
                f"<tr><td style='{_LEFT}'>{escape(name)}</td><td style='{_LEFT}'>{escape(value)}</td></tr>"
                for name, value in pairs.items()
            )
            for section, pairs in self.facts.items()
        )
        advice = "".join(f"<p>{escape(line)}</p>" for line in self.advice)
        colour = "var(--jp-success-color1, #2e7d32)" if self.ok else "var(--jp-error-color1, #c62828)"
        return (
            f"<div style='border-left: 4px solid {colour}; padding: 2px 12px'>"
            f"<p><strong>{escape(self.verdict)}</strong></p><ol>{found}</ol>{advice}"
            f"<details{'' if self.ok else ' open'}><summary>What was found</summary>"
            f"<table>{sections}</table></details></div>"
        )


_LEFT = "text-align: left"
_CODE = "padding: 6px 8px; white-space: pre-wrap; background: var(--jp-layout-color2, #eee)"


def doctor() -> Report:
    """Say what is installed and runs here, what of it does not fit, and what mends it.

    Looks at Python, the kernel, the versions of all packages that matter, and the extensions of the page in
    the environment of the server that started the kernel, if that can be seen. TensorFlow is not loaded for
    it, and nothing is changed.

    Returns
    -------
    Report
        It prints itself; ``.problems`` and ``.facts`` hold the same for code.

    Examples
    --------
    >>> act_widgets.doctor()  # doctest: +SKIP
    Nothing was found that does not fit.
    """
    installed = packages.Installed()
    own = packages.versions(installed)
    shows = server.find()
    python = {
        "act_widgets": __version__,
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "system": platform.platform(),
        "interpreter": sys.executable,
    }
    facts = {
        "Python": python,
        "Kernel": kernel.facts(),
        "Packages": own,
        "Page": server.facts(shows),
    }
    problems = (*packages.problems(installed), *server.problems(shows, own), *kernel.problems())
    where = kernel.front_end()
    advice = (kernel.ADVICE[where],) if where in kernel.ADVICE else ()
    return Report(problems, facts, (*advice, _LAST))


_LAST = (
    "A view that stays blank all the same: reload the page; its console (F12) names what it could not load."
)
