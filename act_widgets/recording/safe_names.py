"""Names that every file system and store takes."""

from __future__ import annotations

import re
from collections.abc import Collection

_LONGEST = 80
# What Windows keeps for devices.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


def safe_name(text: str, taken: Collection[str] = ()) -> str:
    """Return a name like `text` of letters, digits, ``-``, ``_`` and ``.`` that is not taken.

    Parameters
    ----------
    text : str
        Anything, such as a layer's address; of a long one the end counts.
    taken : collection of str
        Names that are in use. Two names that differ by case alone are one on many disks.
    """
    plain = re.sub(r"[^A-Za-z0-9_-]+", ".", text)[-_LONGEST:].strip(".") or "unnamed"
    used = {name.lower() for name in taken} | _DEVICES
    name, number = plain, 1
    while name.lower() in used:
        number += 1
        name = f"{plain}-{number}"
    return name
