"""Starts a Chromium for the browser tests; run as a script, it installs one if none starts.

``python tests/browser/chromium.py`` is content with any browser that the tests could use: one on the
PATH or Playwright's own build. If there is none, it installs Debian's package (as root on Debian), or
else Playwright's build.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
FIXED_PLACES = ("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",)

# --no-sandbox: the sandbox refuses to start for root and in most containers.
# --disable-gpu: software drawing is the same on every machine.
# --disable-dev-shm-usage: containers often have a /dev/shm too small for a page.
# The rest keeps the browser from asking anything of the network.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def candidates() -> list[str | None]:
    """Return the browsers to try in turn; None stands for Playwright's own build.

    The environment variable ``ACT_WIDGETS_CHROMIUM`` leaves no other choice.
    """
    if named := os.environ.get("ACT_WIDGETS_CHROMIUM"):
        return [named]
    on_path = [path for name in NAMES if (path := shutil.which(name))]
    return [*on_path, *(path for path in FIXED_PLACES if Path(path).exists()), None]


def launch(playwright: Playwright) -> Browser:
    """Return the first browser that starts; raise RuntimeError with every reason if none does."""
    from playwright.sync_api import Error

    reasons = []
    for path in candidates():
        try:
            return playwright.chromium.launch(executable_path=path, args=FLAGS, timeout=120_000)
        except Error as error:
            reasons.append(f"{path or 'Playwright’s own Chromium'}: {error.message.splitlines()[0]}")
    raise RuntimeError(
        "No Chromium starts. Install Chromium or Chrome, or set ACT_WIDGETS_CHROMIUM to the path of one.\n"
        + "\n".join(reasons)
    )


def starts() -> bool:
    """Whether one of the browsers starts; prints which, or why not."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        try:
            browser = launch(playwright)
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return False
        print(f"browser for the tests: Chromium {browser.version}")
        browser.close()
    return True


def install() -> None:
    """Install Debian's package where we may, Playwright's build elsewhere."""
    is_debian = platform.system() == "Linux" and platform.freedesktop_os_release().get("ID") == "debian"
    if not (is_debian and os.getuid() == 0 and shutil.which("apt-get")):
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    packages = ["chromium", "fonts-dejavu-core", "fonts-liberation"]
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
        subprocess.run(["apt-get", "-q", *command], check=True, env=environment)


def main() -> int:
    """Make sure that there is a browser that starts."""
    if not starts():
        install()
        return 0 if starts() else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
