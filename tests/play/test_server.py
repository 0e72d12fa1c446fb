import asyncio
import copy
import logging
import socket
import sys
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

import asking
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from minise import InputError, backend, models
from minise.play import checking, server, site
from minise.play.collection import collect
from minise.play.messages import Answer
from minise.play.session import Session

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def net():
    return models.create("se-cnn", num_classes=3)


@pytest.fixture(scope="module")
def collection(net):
    images = np.random.default_rng(1).integers(0, 256, (12, 1, 28, 28), np.uint8)
    return collect(net, images, np.arange(12) % 3)


@pytest.fixture
def address(net, collection):
    with server.serving(net, collection, "a net") as address:
        yield address


@pytest.fixture
def quiet(caplog):
    """Nothing is said by anybody, on no level."""
    caplog.set_level(logging.DEBUG)
    yield
    ours = [r for r in caplog.records if not r.name.startswith("websockets")]  # of the client
    assert [r.getMessage() for r in ours if r.levelno > logging.DEBUG] == []


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A page of three files, and what must not be given away beside them."""
    monkeypatch.setattr(site, "FILES", tmp_path / "page")
    (tmp_path / "page" / "inner").mkdir(parents=True)
    (tmp_path / "page" / "index.html").write_text("<title>é</title>", encoding="utf-8")
    (tmp_path / "page" / "play.js").write_text("1", encoding="utf-8")
    (tmp_path / "page" / "play.css").write_text("a {}", encoding="utf-8")
    (tmp_path / "page" / "notes.py").write_text("secret", encoding="utf-8")
    (tmp_path / "page" / "inner" / "play.js").write_text("secret", encoding="utf-8")
    (tmp_path / "secret.html").write_text("secret", encoding="utf-8")


class Fake:
    """Answers with what it is told to do."""

    def __init__(self, *_):
        pass

    def close(self):
        pass

    def answer(self, message, content=None):
        return Answer({"kind": "done", "id": message["id"]} | self.work(message), b"")


@pytest.fixture
def working(monkeypatch, net, collection):
    """A server whose sessions do this work, in place of computing."""

    @contextmanager
    def working(work):
        monkeypatch.setattr(server, "Session", type("Working", (Fake,), {"work": work}))
        with server.serving(net, collection) as address:
            yield address

    return working


# What is served


@pytest.mark.usefixtures("files", "quiet")
def test_the_pages_files_are_served_each_as_its_type_and_with_what_closes_it(address):
    for name, kind, content in (
        ("", "text/html", "<title>é</title>"),
        ("index.html", "text/html", "<title>é</title>"),
        ("play.js", "text/javascript", "1"),
        ("play.css", "text/css", "a {}"),
    ):
        status, headers, body = asking.request(address + name)
        assert (status, body.decode()) == (200, content)
        assert headers["content-type"] == f"{kind}; charset=utf-8"
        host = urlsplit(address).netloc
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert policy["connect-src"] == f"'self' ws://{host}"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["x-frame-options"] == "DENY"
        assert "server" not in headers


@pytest.mark.usefixtures("files", "quiet")
def test_nothing_else_is(address):
    token = urlsplit(address).path.strip("/")
    for path in (
        "/", "", "*", "//", f"/{token}", f"//{token}/", f"/{token}/socket", f"/{token}x/",
        f"/{token[:-1]}/", f"/{token.swapcase()}/", "/%C3%BC/", "/%FF/", "/%00/",
        "//play.js", "/play.js",
        *(f"/{token}/{name}" for name in (
            "../secret.html", "..%2fsecret.html", "%2e%2e/secret.html", "..\\secret.html",
            "notes.py", "inner/play.js", "inner", "/play.js", "play.js/", "PLAY.JS", "play.js%00",
            "/etc/hostname", "C:/secret.html",
        )),
    ):  # fmt: skip
        status, headers, body = asking.request(address, path)
        assert status == 404, path
        assert b"secret" not in body
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.usefixtures("files", "quiet")
def test_there_is_only_get(address):
    for method in ("POST", "PUT", "HEAD", "OPTIONS", "DELETE", "TRACE", "PATCH", "get", "NONE"):
        status, headers, _ = asking.request(address, method=method)
        assert (status, headers["allow"]) == (405, "GET"), method
        assert not any(name.startswith("access-control") for name in headers)


@pytest.mark.usefixtures("files", "quiet")
def test_the_address_that_starts_a_browser_leads_to_the_page_a_single_time(net, collection):
    with server._serving(net, collection, "") as served:
        path = urlsplit(served.address).path
        start = served.address_once
        assert path.strip("/") not in start
        assert asking.request(start, method="HEAD")[0] == 405
        status, headers, _ = asking.request(start)
        assert (status, headers["location"]) == (303, path)
        status, headers, body = asking.request(start)
        assert (status, "location" in headers) == (403, False)
        assert b"if not by you, stop minise" in body
        assert asking.request(start + "/")[0] == 404
        assert asking.request(served.address, "/")[0] == 404


# Who is answered


def hosts(address):
    port = urlsplit(address).port
    return [f"127.0.0.1:{port}", f"localhost:{port}"]


def foreign_hosts(address):
    port = urlsplit(address).port
    return [
        "", "127.0.0.1", "localhost", f"example.org:{port}", f"127.0.0.1.example.org:{port}",
        f"localhost.example.org:{port}", f"127.0.0.1:{port + 1}", f"127.0.0.2:{port}",
        f"0.0.0.0:{port}", f"[::1]:{port}", f"127.1:{port}", f"2130706433:{port}",
        f"localhost.:{port}", f"x@127.0.0.1:{port}", f"127.0.0.1:{port}:{port}",
        f"127.0.0.1:{port},example.org", "null",
    ]  # fmt: skip


@pytest.mark.usefixtures("files", "quiet")
def test_a_page_that_another_sites_name_leads_to_is_refused(address):
    for host in hosts(address):
        assert asking.request(address, headers=[("Host", host)])[0] == 200
        # as a proxy would say it, which there is none
        forged = [
            ("Host", "example.org"),
            ("X-Forwarded-Host", host),
            ("Forwarded", f"host={host}"),
        ]
        assert asking.request(address, headers=forged)[0] == 403
    for host in foreign_hosts(address):
        status, _, body = asking.request(address, headers=[("Host", host)])
        assert status == 403, host
        assert b"title" not in body
    two = [("Host", hosts(address)[0]), ("Host", "example.org")]
    assert asking.request(address, headers=two)[0] == 400


def handshake(address, *more, **headers):
    """The status that a websocket's first request is answered with."""
    lines = {
        "Host": urlsplit(address).netloc,
        "Origin": address[: address.index("/", 8)],
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    pairs = [(name, value) for name, value in lines.items() if value is not None]
    return asking.request(address + "socket", headers=[*pairs, *more])


@pytest.mark.usefixtures("files", "quiet")
def test_a_page_of_another_origin_gets_no_websocket(address):
    port = urlsplit(address).port
    for host in hosts(address):
        assert handshake(address, Host=host, Origin=f"http://{host}")[0] == 101
    for origin in (
        None, "null", "", "http://example.org", f"https://127.0.0.1:{port}", "http://127.0.0.1",
        f"http://127.0.0.1:{port + 1}", f"http://localhost:{port}", f"http://127.0.0.1:{port}/",
        f"http://127.0.0.1:{port}.example.org", f"ws://127.0.0.1:{port}", "file://",
        f"HTTP://127.0.0.1:{port}",
    ):  # fmt: skip
        assert handshake(address, Origin=origin)[0] == 403, origin
    assert handshake(address, ("Origin", "http://example.org"))[0] in (400, 403)  # beside its own
    for host in foreign_hosts(address):
        assert handshake(address, Host=host, Origin=f"http://{host}")[0] == 403, host
    with pytest.raises(InvalidStatus, match="403"), asking.asking(address, origin=None) as page:
        page.read()


@pytest.mark.usefixtures("files", "quiet")
def test_without_the_token_there_is_no_websocket(address):
    origin, token = address[: address.index("/", 8)], urlsplit(address).path.strip("/")
    for other in ("", "x", token[:-1], token + "x", token.swapcase(), f"{token}/x", f"x/{token}"):
        path = f"{origin}/{other}/" if other else f"{origin}/"
        with pytest.raises(InvalidStatus, match="403"), asking.asking(path) as page:
            page.read()
    with asking.asking(address) as page:
        assert page.ask({"kind": "hello", "id": 1})[0]["kind"] == "net"


def test_the_token_is_another_each_time_and_too_long_to_guess(net, collection):
    tokens = set()
    for _ in range(3):
        with server.serving(net, collection) as address:
            tokens.add(urlsplit(address).path.strip("/"))
    assert len(tokens) == 3
    assert all(len(token) >= 32 for token in tokens)


def test_other_machines_do_not_reach_it(address):
    port = urlsplit(address).port
    others = {"127.0.0.2"}
    with suppress(OSError):  # not every machine knows its own name
        others.add(socket.gethostbyname(socket.gethostname()))
    for other in others - {"127.0.0.1"}:
        with pytest.raises(OSError), socket.create_connection((other, port), timeout=5):  # noqa: PT011
            pass


# What is answered


@pytest.mark.usefixtures("quiet")
def test_an_answer_is_that_of_a_session(address, net, collection):
    with asking.asking(address) as page:
        for question in ({"kind": "hello"}, asking.LOOK):
            header, numbers = page.ask(question | {"id": 7})
            expected = Session(net, collection, "a net").answer(question | {"id": 7})
            assert header == expected.header
            assert numbers.tobytes() == expected.numbers


@pytest.mark.usefixtures("quiet")
def test_a_picture_comes_in_bytes_after_its_question(net, collection, monkeypatch):
    got = []

    class Keeping(Fake):
        def answer(self, message, content=None):
            got.append((message, content))
            return Answer({"kind": "picture", "id": message["id"]}, b"")

    monkeypatch.setattr(server, "Session", Keeping)
    with server.serving(net, collection) as address, asking.asking(address) as page:
        largest = bytes(2**23)
        for content in (b"", b"\x89PNG\0", largest):
            header, _ = page.ask({"kind": "picture", "id": 5}, content)
            assert header == {"kind": "picture", "id": 5}
        assert page.ask({"kind": "picture", "id": 5})[0]["kind"] == "picture"
    assert [content for _, content in got] == [b"", b"\x89PNG\0", largest, None]


@pytest.mark.usefixtures("quiet")
def test_each_page_has_its_own_session(monkeypatch, working):
    def work(self, message):
        self.count = getattr(self, "count", 0) + 1
        return {"count": self.count}

    with working(work) as address, asking.asking(address) as one, asking.asking(address) as two:
        assert [one.ask({"id": n})[0]["count"] for n in range(3)] == [1, 2, 3]
        assert two.ask({"id": 0})[0]["count"] == 1
        with asking.asking(address) as one_again:
            assert one_again.ask({"id": 0})[0]["count"] == 1


def test_it_is_computed_with_the_backend_and_the_context_of_the_caller(working):
    def work(self, message):
        return {"backend": backend.current().name, "thread": threading.current_thread().name}

    for name in ("numpy", "numba"):
        with backend.using(name), working(work) as address:
            with asking.asking(address) as page:
                answers = [page.ask({"id": n})[0] for n in range(2)]
            assert {answer["backend"] for answer in answers} == {name}
            assert all(answer["thread"].startswith("minise-play") for answer in answers)
            assert threading.current_thread().name not in {answer["thread"] for answer in answers}


def test_one_question_is_computed_at_a_time_and_pages_take_turns(working):
    busy, order = threading.Lock(), []

    def work(self, message):
        assert busy.acquire(blocking=False)
        order.append(message["page"])
        time.sleep(0.05)
        busy.release()
        return {}

    with working(work) as address, asking.asking(address) as one, asking.asking(address) as two:
        for n in range(3):
            one.send({"id": n, "page": 1})
            two.send({"id": n, "page": 2})
        for page in (one, two):
            assert [page.read()[0] for _ in range(3)] == [
                {"kind": "done", "id": n} for n in range(3)
            ]
    assert sorted(order) == [1, 1, 1, 2, 2, 2]
    assert max(len(set(order[n : n + 2])) for n in range(5)) == 2
    assert order not in ([1, 1, 1, 2, 2, 2], [2, 2, 2, 1, 1, 1])


def test_what_a_closed_page_still_wanted_is_not_computed(working):
    begun, go_on = [], threading.Event()

    def work(self, message):
        begun.append(message["id"])
        assert go_on.wait(100)
        return {}

    with working(work) as address:
        with asking.asking(address) as page:
            for n in range(4):
                page.send({"id": n})
            while not begun:
                time.sleep(0.01)
        go_on.set()
        with asking.asking(address) as other:  # its turn comes after what was left of the first
            assert other.ask({"id": 100})[0]["id"] == 100
    assert begun == [0, 100]


@pytest.mark.parametrize("stopped", [False, True])
def test_a_long_check_ends_with_its_page_and_with_the_server(net, collection, monkeypatch, stopped):
    begun, closed, ended = threading.Event(), threading.Event(), []
    close = Session.close

    def noted(self):
        close(self)
        closed.set()

    def loss(scores, label):
        begun.set()
        assert closed.wait(100)
        ended.append(scores)
        return np.float64(0)

    monkeypatch.setattr(Session, "close", noted)
    monkeypatch.setattr(checking, "_loss", loss)
    question = {"kind": "check", "of": "dy", "name": "conv1", "index": [0, 0, 0]}
    with ExitStack() as pages, server.serving(net, collection) as address:
        page = pages.enter_context(asking.asking(address))
        page.send(asking.LOOK | question)
        assert begun.wait(100)
        if not stopped:
            pages.close()
    assert len(ended) == 1  # of the losses of a difference


def test_who_does_not_wait_for_answers_is_told(working):
    go_on = threading.Event()

    def work(self, message):
        assert go_on.wait(100)
        return {}

    with working(work) as address, asking.asking(address) as page:
        for n in range(50):
            page.send({"id": n})
        beyond = 50 - (site.MOST_WAITING + 1)  # one is computed
        for _ in range(beyond):
            assert page.read()[0]["message"] == "too many questions: wait for an answer"
        go_on.set()
        answers = [page.read()[0]["kind"] for _ in range(50 - beyond)]
        # the one may have been among those that wait until its session had begun
        assert site.MOST_WAITING <= answers.count("done") <= site.MOST_WAITING + 1


@pytest.mark.usefixtures("quiet")
def test_the_ninth_page_is_told_and_the_next_may_come_when_one_has_gone(working):
    with working(lambda self, message: {}) as address, ExitStack() as pages:
        open_ = [pages.enter_context(asking.asking(address)) for _ in range(site.MOST_PAGES)]
        assert [page.ask({"id": n})[0]["id"] for n, page in enumerate(open_)] == [*range(8)]
        with asking.asking(address) as ninth:
            header, _ = ninth.read()
            message = "8 pages are open already: close one, and load this again"
            assert header == {"kind": "refused", "message": message, "id": None}
            with pytest.raises(ConnectionClosed) as closed:
                ninth.read()
            assert closed.value.rcvd.code == 1013  # try again later
        open_[0].socket.close()
        with asking.asking(address) as ninth:
            assert ninth.ask({"id": 9})[0]["id"] == 9


# What is wrong with a message


def framed(text, content=b"", length=None):
    data = text.encode()
    return (len(data) if length is None else length).to_bytes(4, "little") + data + content


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ("", "the message is no JSON: Expecting value"),
        ("{", "the message is no JSON: Expecting property name"),
        ("{} {}", "the message is no JSON: Extra data"),
        ("\ufeff{}", "the message is no JSON"),
        ('{"kind": NaN}', "the message has the number 'NaN', which is none here"),
        ('{"kind": -Infinity}', "the number '-Infinity'"),
        ('{"id": 1e999}', "the number '1e999'"),
        ('{"id": 12345678901234567890}', "the number '12345678901234567890'"),
        (f'{{"id": {"9" * 5000}}}', "the number '999"),
        ('{"kind": "look", "kind": "hello"}', "the message has 'kind' twice in one object"),
        ("[" * 200_000, "the message is nested too deeply"),
        ('{"a":' * 100_000, "the message is nested too deeply"),
        ("[" * 900 + "]" * 900, "a message has to be an object with a kind"),
        ("17", "a message has to be an object with a kind"),
        ('{"kind": "\\ud800"}', "kind of message"),
        ('{"kind": "look", "image": ' + "[" * 900 + "]" * 900 + "}", ""),
        (" " * (2**20 + 1), "the message has 1,048,577 bytes, and may have 1,048,576"),
        (b"", "a message in bytes has to begin with the length of its JSON"),
        (b"\x01\0\0", "a message in bytes has to begin"),
        (framed("{}", length=3), "a message in bytes has to begin"),
        (b"\xff\xff\xff\xff{}", "a message in bytes has to begin"),
        (framed("{}", b"x", length=0), "the message is no JSON"),
        (framed("{}", b"", length=1), "the message is no JSON"),
        (b"\x02\0\0\0\xff\xfe", "the message is no JSON"),
        (b"\x06\0\0\0{\0}\0\0\0", "the message is no JSON"),
        (framed("{}", bytes(2**23 + 1)), "the picture has 8,388,609 bytes, and may have 8,388,608"),
        (framed(" " * (2**20 + 1)), "the message has 1,048,577 bytes"),
    ],
)
def test_it_is_told_to_its_page_and_to_nobody_else(address, frame, message):
    with asking.asking(address) as page, asking.asking(address) as other:
        header = page.raw(frame)
        assert (header["kind"], header["id"]) == ("refused", None)
        assert message in header["message"]
        assert len(header["message"]) < 300
        for either in (page, other):
            assert either.ask({"kind": "hello", "id": 1})[0]["kind"] == "net"


@pytest.mark.usefixtures("quiet")
def test_what_is_far_too_large_closes_its_page_alone(address):
    with asking.asking(address) as page, asking.asking(address) as other:
        with pytest.raises(ConnectionClosed) as closed:
            page.raw(bytes(2**25))
        assert closed.value.rcvd is None or closed.value.rcvd.code == 1009
        assert other.ask({"kind": "hello", "id": 1})[0]["kind"] == "net"


def test_a_fault_of_minise_is_a_sentence_there_and_a_line_here(working, caplog):
    def work(self, message):
        if message["id"] == 2:
            raise ZeroDivisionError("one\nand\x1b[31m two")
        return {}

    with working(work) as address, asking.asking(address) as page:
        told = "ZeroDivisionError: one and?[31m two"
        header, _ = page.ask({"id": 2})
        message = f"this cannot be computed: {told}"
        assert header == {"kind": "refused", "message": message, "id": 2}
        assert page.ask({"id": 3})[0]["kind"] == "done"
    lines = [r.getMessage() for r in caplog.records if r.levelno > logging.INFO]
    assert lines == [f"minise: what a page asked for failed: {told}"]
    assert [r.exc_info for r in caplog.records if r.levelno > logging.INFO] == [None]


def test_a_net_that_cannot_be_copied_is_told_to_the_page(net, collection, monkeypatch, caplog):
    def session(*_):
        raise MemoryError

    monkeypatch.setattr(server, "Session", session)
    with server.serving(net, collection) as address, asking.asking(address) as page:
        assert page.read()[0]["message"] == "this cannot be computed: MemoryError"
        with pytest.raises(ConnectionClosed) as closed:
            page.read()
        assert closed.value.rcvd.code == 1011


# Its end


@pytest.mark.usefixtures("quiet")
def test_it_ends_with_pages_open_and_gives_its_port_back(net, collection):
    threads = set(threading.enumerate())
    with ExitStack() as pages:
        with server.serving(net, collection) as address:
            page = pages.enter_context(asking.asking(address))
            assert page.ask({"kind": "hello"})
        with pytest.raises(ConnectionClosed) as closed:
            page.read()
        assert closed.value.rcvd.code == 1012
    assert {t for t in threading.enumerate() if t.name.startswith("minise-play")} <= threads
    port = urlsplit(address).port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    with socket.socket() as again:
        if sys.platform != "win32":
            again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


def test_it_ends_though_a_page_does_not_read_what_it_asked_for(working):
    with ExitStack() as pages, working(lambda self, message: {"long": "x" * 2**22}) as address:
        page = pages.enter_context(asking.asking(address, max_queue=1, close_timeout=1))
        for n in range(4):
            page.send({"id": n})
        time.sleep(0.5)


def test_loggers_are_as_they_were(net, collection):
    def state():
        names = ("level", "disabled", "propagate", "handlers", "filters")
        return {
            name: [copy.copy(getattr(logger, of)) for of in names]
            for name, logger in logging.root.manager.loggerDict.items()
            if isinstance(logger, logging.Logger) and name.split(".")[0] in ("uvicorn", "asyncio")
        }

    with server.serving(net, collection):
        pass
    before, root = state(), (logging.root.level, [*logging.root.handlers])
    with server.serving(net, collection) as address, asking.asking(address):
        pass
    assert state() == before
    assert (logging.root.level, [*logging.root.handlers]) == root


def test_it_serves_within_a_running_event_loop(net, collection):
    async def main():
        with server.serving(net, collection) as address, asking.asking(address) as page:
            return page.ask({"kind": "hello", "id": 1})[0]["kind"]

    assert asyncio.run(main()) == "net"


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        (["uvicorn"], "package uvicorn: python -m pip install uvicorn"),
        (
            ["markdown_it", "starlette.websockets"],
            "packages starlette and markdown-it-py: python -m pip install starlette markdown-it-py",
        ),
    ],
)
def test_where_packages_are_missing_one_line_says_what_to_install(
    net, collection, monkeypatch, missing, told
):
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError) as error, server.serving(net, collection):
        pass
    assert str(error.value) == f"play needs the {told}"
