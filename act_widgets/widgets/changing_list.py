"""A dropdown whose entries change."""

from __future__ import annotations

from typing import Any

import ipywidgets


class ChangingList(ipywidgets.Dropdown):
    """A dropdown that goes back to what it shows when the page chooses an entry that is gone.

    The page tells the place of an entry, and may have chosen from the entries of a moment ago.
    """

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what the page tells; called for each of its messages."""
        if (sync_data.get("index") or 0) < len(self.options):
            super().set_state(sync_data)
        else:
            self.send_state("index")
