"""A notebook as a page of Voila, and the kernel behind it."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import websocket
from playwright.sync_api import Browser

from tests.browser.front import CELL_SECONDS, EMPTY_NOTEBOOK, PAGE_SECONDS, CellError, Front, plain
from tests.browser.server import JupyterServer


class Voila(Front):
    """A page that Voila makes of one cell, after its widgets were drawn.

    Parameters
    ----------
    server : JupyterServer
    browser : playwright.sync_api.Browser
    source : str
        The cell.
    drawn : str
        CSS selector of what is waited for.
    """

    def __init__(self, server: JupyterServer, browser: Browser, source: str, drawn: str) -> None:
        super().__init__()
        cell = {"cell_type": "code", "id": "one", "metadata": {}, "outputs": [], "execution_count": None}
        notebook = {**EMPTY_NOTEBOOK, "cells": [{**cell, "source": source}]}
        (server.notebooks / "app.ipynb").write_text(json.dumps(notebook))
        self._context = browser.new_context(reduced_motion="reduce")
        self.watch(self._context.new_page())
        self.set_viewport(1600, 1600)
        before = self._kernels(server)
        self.page.goto(f"{server.url}voila/render/app.ipynb?token={server.token}")
        self.page.locator(drawn).wait_for(timeout=PAGE_SECONDS * 1000)
        (kernel,) = self._kernels(server) - before
        channels = f"{server.url.replace('http', 'ws', 1)}api/kernels/{kernel}/channels"
        self._socket = websocket.create_connection(f"{channels}?token={server.token}", timeout=CELL_SECONDS)

    def wait_idle(self, seconds: float = CELL_SECONDS) -> None:
        """Wait until the kernel has done what it was told before."""
        self._execute("", None, seconds)

    def close(self) -> None:
        """Close the page; Voila stops its kernel then."""
        self._socket.close()
        self._context.close()

    def _kernels(self, server: JupyterServer) -> set[str]:
        answer = self._context.request.get(f"{server.url}api/kernels?token={server.token}")
        return {kernel["id"] for kernel in answer.json()}

    def _execute(self, code: str, expression: str | None, seconds: float) -> dict[str, Any]:
        asked = uuid4().hex
        content = {
            "code": code,
            "silent": False,
            "store_history": False,
            "stop_on_error": False,
            "allow_stdin": False,
            "user_expressions": {"value": expression} if expression else {},
        }
        header = {"msg_id": asked, "msg_type": "execute_request", "username": "", "session": asked}
        message = {"header": {**header, "version": "5.3", "date": ""}, "parent_header": {}, "metadata": {}}
        self._socket.settimeout(seconds)
        self._socket.send(json.dumps({**message, "channel": "shell", "content": content}))
        reply: dict[str, Any] = self._reply(asked)
        if reply["status"] != "ok":
            raise CellError(plain("\n".join(reply.get("traceback", [reply["status"]]))))
        return reply

    def _reply(self, asked: str) -> Any:
        """Return what the kernel replies to a request; it tells much else meanwhile, pictures as bytes."""
        while True:
            told = self._socket.recv()
            answer = json.loads(told) if isinstance(told, str) else {"msg_type": "pictures"}
            if answer["msg_type"] == "execute_reply" and answer["parent_header"]["msg_id"] == asked:
                return answer["content"]
