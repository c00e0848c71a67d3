"""The page of views, docs/views.md: it shows every view there is, and every picture that is taken."""

from __future__ import annotations

import re
from pathlib import Path

import act_widgets as aw
from act_widgets.widgets.base import View

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_the_page_of_views_names_every_view_and_links_every_picture():
    page = (DOCS / "views.md").read_text("utf-8")
    public = [getattr(aw, name) for name in dir(aw) if name[0].isupper()]
    views = [one.__name__ for one in public if isinstance(one, type) and issubclass(one, View)]
    assert len(views) >= 13
    assert [name for name in views if f"`aw.{name}(session" not in page] == []
    linked = set(re.findall(r"pictures/[\w/-]+\.png", page))
    assert linked == {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.png")}
