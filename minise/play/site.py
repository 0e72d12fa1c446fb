"""What is at the page's address, as ASGI, and who may have it.

Whatever page is open elsewhere in the browser can reach a port of this machine. So the address
has a token that nobody can guess; `Host` has to be this machine's, which it is not where another
site's name leads here; and a websocket is opened for this page alone, by its `Origin`.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from minise import backend
from minise.errors import InputError
from minise.play.frames import question_of
from minise.play.messages import refused
from minise.play.session import Session

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send
    from starlette.websockets import WebSocket

FILES = Path(__file__).parent / "page"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
MOST_PAGES = 8  # open at a time: each has a copy of the net
MOST_WAITING = 4  # questions of one page
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self' ws://{host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

Result = TypeVar("Result")

log = logging.getLogger(__name__)


class Site:
    """What is at the address, as ASGI: the files of the page, and its websocket."""

    def __init__(self, begin: Callable[[], Session], worker: ThreadPoolExecutor, port: int) -> None:
        self._token, self._once = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._used = False  # the address that leads to the page once
        self._origin = f"http://127.0.0.1:{port}"
        self.address = f"{self._origin}/{self._token}/"
        self._begin, self._worker = begin, worker
        self._hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        self._context = contextvars.copy_context()
        self._backend = backend.current()
        self._device = getattr(self._backend, "device", None)
        self._open = 0

    @property
    def address_once(self) -> str:
        """An address that leads to the page a single time.

        For a browser that is started with it: other users can read the words of a command.
        """
        return f"{self._origin}/{self._once}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one websocket."""
        from starlette.datastructures import Headers
        from starlette.websockets import WebSocket

        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        host = hosts[0] if len(hosts) == 1 and hosts[0] in self._hosts else None
        token, slash, name = scope["path"].removeprefix("/").partition("/")
        path = name if _same(token, self._token) and slash else None
        if scope["type"] == "http":
            once = _same(token, self._once) and not slash
            await self._response(scope["method"], host, path, once)(scope, receive, send)
        elif scope["type"] == "websocket":
            page = WebSocket(scope, receive, send)
            if host is None or origins != [f"http://{host}"] or path != "socket":
                await page.close()  # before it is open: 403
            else:
                await self._talk(page)

    def _response(self, method: str, host: str | None, path: str | None, once: bool) -> Response:
        """A file of the page, or why there is none."""
        from starlette.responses import Response

        def plain(status: int, text: str, **more: str) -> Response:
            return Response(text + "\n", status, HEADERS | more, "text/plain; charset=utf-8")

        if host is None:
            return plain(403, "this page is for its own machine, by its own address")
        if method != "GET":
            return plain(405, "only GET", Allow="GET")
        if once and self._used:
            return plain(
                403,
                "this address leads to the page once, and was used: if not by you, stop minise by "
                "Ctrl-C; else take the address that it printed",
            )
        if once:
            self._used = True
            return plain(303, "the page is served", Location=f"/{self._token}/")
        if path is None:
            return plain(404, "there is nothing here: take the whole address that minise printed")
        files = {file.name: file for file in FILES.glob("*.*") if file.suffix in TYPES}
        file = files.get(path or "index.html")
        if file is None:
            return plain(404, "there is no such file")
        policy = {"Content-Security-Policy": POLICY.format(host=host)}
        return Response(file.read_bytes(), 200, HEADERS | policy, TYPES[file.suffix])

    async def _talk(self, page: WebSocket) -> None:
        """Answer the questions of one page, in their order, until it is closed."""
        from starlette.websockets import WebSocketDisconnect

        with suppress(WebSocketDisconnect, OSError):
            await page.accept()
            if self._open == MOST_PAGES:
                await page.send_bytes(
                    _refused(f"{MOST_PAGES} pages are open already: close one, and load this again")
                )
                await page.close(1013)  # try again later
                return
            self._open += 1
            waiting: asyncio.Queue[str | bytes] = asyncio.Queue(MOST_WAITING)
            answering = asyncio.create_task(self._answer(page, waiting))
            try:
                # read on while it is computed: else a page that is closed would not be noticed
                while (message := await page.receive())["type"] == "websocket.receive":
                    text = message.get("text")
                    try:
                        waiting.put_nowait(message["bytes"] if text is None else text)
                    except asyncio.QueueFull:
                        await page.send_bytes(_refused("too many questions: wait for an answer"))
            finally:
                answering.cancel()
                await asyncio.wait([answering])
                self._open -= 1

    async def _answer(self, page: WebSocket, waiting: asyncio.Queue[str | bytes]) -> None:
        from starlette.websockets import WebSocketDisconnect

        with suppress(WebSocketDisconnect, OSError):
            try:
                session = await self._compute(self._begin)
            except Exception as error:
                await page.send_bytes(_failed(error))
                await page.close(1011)  # the server's fault
                return
            try:
                while True:
                    frame = await waiting.get()
                    await page.send_bytes(await self._compute(_reply, session, frame))
            finally:
                session.close()

    async def _compute(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Do it in the thread that computes, unless this is cancelled before its turn comes."""

        def computed() -> Result:
            with self._backend.block(self._device):
                return work(*arguments)

        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, self._context.run, computed)


def _same(given: str, token: str) -> bool:
    """Whether they are, in a time that does not tell how much of it is right."""
    return secrets.compare_digest(given.encode("utf-8", "replace"), token.encode())


def _reply(session: Session, frame: str | bytes) -> bytes:
    """The answer to a frame; whatever goes wrong with it is one."""
    question = None
    try:
        question, content = question_of(frame)
        return session.answer(question, content).as_frame()
    except InputError as error:
        return _refused(str(error), question)
    except RecursionError:
        return _refused("the message is nested too deeply", question)
    except Exception as error:
        return _failed(error, question)


def _failed(error: Exception, question: object = None) -> bytes:
    """What is no fault of the page's is told on both sides."""
    log.error("minise: what a page asked for failed: %s", line(error))
    return _refused(f"this cannot be computed: {line(error)}", question)


def _refused(message: str, question: object = None) -> bytes:
    return refused(message, question).as_frame()


def line(error: BaseException) -> str:
    """The error in one line of signs that every terminal shows as they are."""
    text = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    text = "".join(sign if sign.isprintable() else "?" for sign in text)
    return text if len(text) <= 300 else f"{text[:299]}…"
