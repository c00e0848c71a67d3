"""How long the tests of chance go on: ``make soak`` makes them ten times as long."""

from __future__ import annotations

import os

TIMES = int(os.environ.get("ACT_WIDGETS_SOAK", "1"))
