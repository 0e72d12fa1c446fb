"""The page, served to the browsers of this machine, and of it to those who know the address.

Whatever page is open elsewhere in the browser can reach a port of this machine. So the address
has a token that nobody can guess; `Host` has to be this machine's, which it is not where another
site's name leads here; and a websocket is opened for this page alone, by its `Origin`.

Each page has its own `Session`. One thread computes for all of them, one question after another;
what a page still wanted when it was closed is not computed any more.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from minise import backend
from minise.errors import InputError
from minise.nn import Layer
from minise.play.collection import Collection
from minise.play.frames import MOST_PICTURE, MOST_TEXT, question_of
from minise.play.messages import Answer
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


def check_installed() -> None:
    """Raises `InputError` where a package of the extra `play` is missing."""
    try:
        import starlette.websockets  # noqa: F401
        import uvicorn  # noqa: F401
        import websockets  # noqa: F401
    except ImportError as error:
        raise InputError(
            f'minise play needs more packages: python -m pip install "minise[play]" ({error})'
        ) from None


@contextmanager
def serving(net: Layer, collection: Collection, title: str = "") -> Iterator[str]:
    """Within a `with`, the page is served, by a thread of its own; yields its address.

    Every page that is opened has a copy of `net`, and computes as the caller does: with the backend
    that is in use here. Raises `InputError` where the extra `play` is not installed.
    """
    check_installed()
    import uvicorn

    with ThreadPoolExecutor(1, "minise-play") as worker, _listener() as listener:
        site = _Site(lambda: Session(net, collection, title), worker, listener.getsockname()[1])
        config = uvicorn.Config(
            site,
            interface="asgi3",
            http="h11",
            lifespan="off",
            log_config=None,
            proxy_headers=False,  # whoever asks would say where from
            server_header=False,
            date_header=False,
            limit_concurrency=100,
            timeout_graceful_shutdown=1,
            ws_max_size=2 * (MOST_TEXT + MOST_PICTURE),  # a little too large has an answer
            ws_ping_interval=None,  # on this machine a page that is gone is known to be
            ws_per_message_deflate=False,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=_run, args=(server, listener), name="minise-play-server")
        thread.start()
        try:
            yield site.address
        finally:
            server.should_exit = True
            thread.join()
            worker.shutdown(cancel_futures=True)


def _listener() -> socket.socket:
    """A port of this machine that is free, and closed to others."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # on Windows others could else take the port, too
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen()  # from now on a browser waits for its answer
    return listener


def _run(server: Any, listener: socket.socket) -> None:
    """Serve in this thread until `server.should_exit`; of what a browser does wrong say nothing."""
    mine = threading.get_ident()

    def elsewhere(record: logging.LogRecord) -> bool:
        return record.thread != mine

    async def serve() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        await server.serve([listener])

    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "uvicorn.access", "asyncio")]
    for logger in loggers:
        logger.addFilter(elsewhere)
    try:
        asyncio.run(serve())
    except Exception as error:
        log.error("minise: the page is not served any more: %s", _line(error))
    finally:
        for logger in loggers:
            logger.removeFilter(elsewhere)


class _Site:
    """What is at the address, as ASGI: the files of the page, and its websocket."""

    def __init__(self, begin: Callable[[], Session], worker: ThreadPoolExecutor, port: int) -> None:
        self.token = secrets.token_urlsafe(32)
        self.address = f"http://127.0.0.1:{port}/{self.token}/"
        self._begin, self._worker = begin, worker
        self._hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        self._context = contextvars.copy_context()
        self._backend = backend.current()
        self._device = getattr(self._backend, "device", None)
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one websocket."""
        from starlette.datastructures import Headers
        from starlette.websockets import WebSocket

        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        host = hosts[0] if len(hosts) == 1 and hosts[0] in self._hosts else None
        token, slash, name = scope["path"].removeprefix("/").partition("/")
        known = secrets.compare_digest(token.encode("utf-8", "replace"), self.token.encode())
        if not (known and slash):
            name = None
        if scope["type"] == "http":
            response = self._file(scope["method"], host, name)
            await response(scope, receive, send)
        elif scope["type"] == "websocket":
            page = WebSocket(scope, receive, send)
            if host is None or origins != [f"http://{host}"] or name != "socket":
                await page.close()  # before it is open: 403
            else:
                await self._talk(page)

    def _file(self, method: str, host: str | None, name: str | None) -> Response:
        from starlette.responses import Response

        def plain(status: int, text: str, **more: str) -> Response:
            return Response(text + "\n", status, HEADERS | more, "text/plain; charset=utf-8")

        if host is None:
            return plain(403, "this page is for its own machine, by its own address")
        if method != "GET":
            return plain(405, "only GET", Allow="GET")
        if name is None:
            return plain(404, "there is nothing here: take the whole address that minise printed")
        files = {path.name: path for path in FILES.glob("*.*") if path.suffix in TYPES}
        file = files.get(name or "index.html")
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
                    frame = message.get("text")
                    try:
                        waiting.put_nowait(message["bytes"] if frame is None else frame)
                    except asyncio.QueueFull:
                        await page.send_bytes(_refused("too many questions: wait for an answer"))
            finally:
                self._open -= 1
                answering.cancel()
                await asyncio.wait([answering])

    async def _answer(self, page: WebSocket, waiting: asyncio.Queue[str | bytes]) -> None:
        from starlette.websockets import WebSocketDisconnect

        with suppress(WebSocketDisconnect, OSError):
            session = await self._compute(self._begin)
            while True:
                frame = await waiting.get()
                await page.send_bytes(await self._compute(_reply, session, frame))

    async def _compute(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Do it in the thread that computes, unless this is cancelled before its turn comes."""

        def computed() -> Result:
            with self._backend.block(self._device):
                return work(*arguments)

        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, self._context.run, computed)


def _reply(session: Session, frame: str | bytes) -> bytes:
    """The answer to a frame; whatever goes wrong with it is one."""
    question = None
    try:
        question, content = question_of(frame)
        return session.answer(question, content).as_frame()
    except InputError as error:
        return _refused(str(error), question)
    except Exception as error:
        log.error("minise: a question of the page failed: %s", _line(error))
        return _refused(f"this cannot be computed: {_line(error)}", question)


def _refused(message: str, question: object = None) -> bytes:
    number = question.get("id") if isinstance(question, dict) else None
    header = {"kind": "refused", "message": message, "id": number if type(number) is int else None}
    return Answer(header, b"").as_frame()


def _line(error: BaseException) -> str:
    """The error in one line of signs that every terminal shows as they are."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    text = "".join(sign if sign.isprintable() else "?" for sign in text)
    return text if len(text) <= 300 else f"{text[:299]}…"
