"""The page, served to the browsers of this machine, and of it to those who know the address.

Each page has its own `Session`. One thread computes for all of them, one question after another;
what a page still wanted when it was closed is not computed any more.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from minise.errors import InputError
from minise.nn import Layer
from minise.play.collection import Collection
from minise.play.frames import MOST_PICTURE, MOST_TEXT
from minise.play.session import Session
from minise.play.site import Site, line

NEEDED = {  # modules, and the packages that they come from: the extra `play`
    "starlette.websockets": "starlette",
    "uvicorn": "uvicorn",
    "websockets": "websockets",
    "markdown_it": "markdown-it-py",
    "latex2mathml": "latex2mathml",
}

log = logging.getLogger(__name__)


def check_installed() -> None:
    """Raises `InputError` where a package of the extra `play` is missing."""
    missing = []
    for module, package in NEEDED.items():
        try:
            importlib.import_module(module)
        except ImportError:
            missing.append(package)
    if missing:
        raise InputError(
            f"play needs the package{'s' * (len(missing) > 1)} {' and '.join(missing)}: "
            f"python -m pip install {' '.join(missing)}"
        )


@contextmanager
def serving(net: Layer, collection: Collection, title: str = "") -> Iterator[str]:
    """Within a `with`, the page is served, by a thread of its own; yields its address.

    Every page that is opened has a copy of `net`, and computes as the caller does: with the backend
    that is in use here. Raises `InputError` where the extra `play` is not installed.
    """
    with _serving(net, collection, title) as site:
        yield site.address


def serve(
    net: Layer, collection: Collection, title: str, say: Callable[[str], None], *, browser: bool
) -> NoReturn:
    """Serve the page until Ctrl-C, whose `KeyboardInterrupt` is raised once the port is free.

    `say` is called with the address, which a `browser` is opened with. Raises `InputError` where
    the extra `play` is not installed.
    """
    with _serving(net, collection, title) as site:
        say(site.address)
        if browser:
            _open(site.address_once)
        while True:
            time.sleep(1)


@contextmanager
def _serving(net: Layer, collection: Collection, title: str) -> Iterator[Site]:
    check_installed()
    import uvicorn

    with ThreadPoolExecutor(1, "minise-play") as worker, _listener() as listener:
        site = Site(lambda: Session(net, collection, title), worker, listener.getsockname()[1])
        config = uvicorn.Config(
            site,
            interface="asgi3",
            http="h11",
            ws="websockets-sansio",
            lifespan="off",
            log_config=None,
            proxy_headers=False,  # else whoever asks could say that it is another
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=1,
            ws_max_size=2 * (MOST_TEXT + MOST_PICTURE),  # what is a little too large has an answer
            ws_ping_interval=None,  # on one machine a page that is gone is known to be
            ws_per_message_deflate=False,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=_run, args=(server, listener), name="minise-play-server")
        thread.start()
        try:
            yield site
        finally:
            server.should_exit = True
            thread.join()
            worker.shutdown(cancel_futures=True)


def _listener() -> socket.socket:
    """A free port of this machine, which no other can reach."""
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
        for connection in [*server.server_state.connections]:  # of pages that read no more
            connection.transport.abort()
        await asyncio.sleep(0)

    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "uvicorn.access", "asyncio")]
    for logger in loggers:
        logger.addFilter(elsewhere)
    try:
        asyncio.run(serve())
    except Exception as error:
        log.error("minise: the page is not served any more: %s", line(error))
    finally:
        for logger in loggers:
            logger.removeFilter(elsewhere)


def _open(address: str) -> None:
    """In a browser that has a window; where none can be opened nothing happens."""
    windows = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    if sys.platform.startswith("linux") and not any(map(os.environ.get, windows)):
        return  # a browser within the terminal would be found, which shows no page like this
    with suppress(Exception):
        webbrowser.open(address)
