"""Whatever is sent to the server of `minise play` is refused, and harms nobody.

`attack` sends one harmful thing after another, drawn from a generator: to a page's websocket what
is nearly a question, nearly a picture, or no frame; and to its port requests of others.
"""

import json
import os
import socket
import subprocess
import sys
from contextlib import suppress
from urllib.parse import urlsplit

import asking
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from minise import models, runs
from minise.play import server
from minise.play.collection import collect

HELLO = {"kind": "hello", "id": 1}
STROKE = [[0.31, 0.2], [0.68, 0.21], [0.44, 0.82]]
QUESTIONS = [
    HELLO,
    {
        "kind": "look",
        "id": 2,
        "image": {"from": "drawing", "strokes": [STROKE]},
        "label": 1,
        "changes": {"se": {"off": True, "like": 2, "gates": {"3": 0.5}, "squeeze": "max"}},
        "open": ["conv1"],
    },
    {"kind": "look", "id": 3, "image": {"from": "test", "number": 5}},
    {"kind": "picture", "id": 4},
    {"kind": "step", "id": 5, "image": {"from": "test", "number": 5}, "label": 0, "lr": 0.1},
    {"kind": "undo", "id": 6, "image": {"from": "picture", "pixels": [0, 255] * 392}},
    {"kind": "reset", "id": 7, "image": {"from": "test", "number": 0}},
    {"kind": "check", "id": 8, "image": {"from": "test", "number": 0}, "of": "y", "name": "conv1",
     "index": [0, 1, 2], "label": 1},
    {"kind": "read", "id": 9, "name": "se"},
]  # fmt: skip
# For glibc, which would keep what is freed in pieces: some 20 MB, that look like a leak.
GIVE_BACK = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "65536"}
ANSWERS = ("refused", "net", "seen", "picture", "checked", "reading")
VALUES = [
    None, True, False, 0, -1, 10**9, 10**14, 1e308, -0.0, 5e-324, "", "x", "se", "\0", "\ud800",
    "Ω" * 50, [], {}, [[]], [None], {"": None}, [[[[[[]]]]]], "__class__", "../../x", "<b>", 2**53,
]  # fmt: skip
WORDS = [
    "NaN", "Infinity", "1e999", "9" * 400, "[" * 3000, '{"a":' * 3000, "\\u0000", "\\ud800", '"',
    "{", "}", "[", "]", ",", ":", "-", "null", "\ufeff", "\n", "é", "\U0001f600", '"kind":"look",',
]  # fmt: skip


def pick(rng, items):
    return items[int(rng.integers(len(items)))]


def changed(rng, value):
    """The same, with one value somewhere in it replaced, added or left out."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.3:
        return pick(rng, VALUES)
    value = value.copy()
    key = pick(rng, list(value) if isinstance(value, dict) else range(len(value)))
    match int(rng.integers(5)):
        case 0:
            del value[key]
        case 1 if isinstance(value, dict):
            value[pick(rng, ["", "x", "lr", "label", "strokes", "off", "99"])] = pick(rng, VALUES)
        case 1:
            value *= int(rng.integers(50))
        case _:
            value[key] = changed(rng, value[key])
    return value


def nearly_a_question(rng):
    question = pick(rng, QUESTIONS)
    for _ in range(rng.integers(1, 4)):
        question = changed(rng, question) if isinstance(question, dict) else question
    text = json.dumps(question, ensure_ascii=bool(rng.integers(2)))
    return text.encode("utf-8", "replace").decode()


def nearly_json(rng):
    text = nearly_a_question(rng)
    for _ in range(rng.integers(1, 4)):
        a, b = sorted(rng.integers(len(text) + 1, size=2))
        match int(rng.integers(3)):
            case 0:
                text = text[:a] + pick(rng, WORDS) + text[a:]
            case 1:
                text = text[:a] + text[b:]
            case 2:
                text = text[:b] + text[a:]
    return text


def nearly_a_picture(rng):
    data = nearly_a_question(rng).encode()
    length = len(data) if rng.integers(2) else int(rng.integers(2**32))
    frame = length.to_bytes(4, "little") + data + rng.bytes(int(rng.integers(200)))
    return frame[: int(rng.integers(len(frame) + 1))] if rng.integers(2) else frame


def too_large(rng):
    """Not larger than what is answered: a text, or a picture."""
    if rng.integers(2):
        return '{"kind": "' + "x" * 2**20 + '"}'
    data = b'{"kind": "picture"}'
    return len(data).to_bytes(4, "little") + data + bytes(2**23 + 1)


def no_frame(rng):
    """What breaks the protocol of websockets: no mask, unknown kinds, bits that mean nothing."""
    match int(rng.integers(6)):
        case 0:
            return rng.bytes(int(rng.integers(1, 300)))
        case 1:
            return b"\x81\x05hello"  # without a mask
        case 2:
            return b"\x80\x80\0\0\0\0"  # goes on with what has not begun
        case 3:
            return b"\x81\xff" + b"\xff" * 8 + b"\0\0\0\0"  # as long as can be
        case 4:
            return b"\x81\x82\0\0\0\0\xff\xfe"  # no UTF-8
        case _:
            return b"\x89\xfe\x01\x00" + bytes(4 + 256)  # a ping that is too long


def request_of_others(rng, address):
    """Words of a request, one of which is not this page's."""
    host = urlsplit(address).netloc
    token, port = urlsplit(address).path.strip("/"), urlsplit(address).port
    method, path, origin = "GET", f"/{token}/socket", f"http://{host}"
    match int(rng.integers(5)):
        case 0:
            host = pick(
                rng, ["", "example.org", f"example.org:{port}", "127.0.0.1", f"[::1]:{port}"]
            )
        case 1:
            origin = pick(rng, ["null", "http://example.org", f"https://{host}", "", origin + "0"])
        case 2:
            cut = int(rng.integers(len(token)))
            path = f"/{token[:cut]}{pick(rng, 'aZ_-%/.é')}{token[cut + 1 :]}?/socket"
        case 3:
            path = (
                f"/{token}/{pick(rng, ['..', '%2e%2e', 'x', 'socket/', '//', '%00'])}/../server.py"
            )
        case _:
            method = pick(rng, ["POST", "PUT", "HEAD", "OPTIONS", "DELETE", "TRACE", "PATCH"])
            path = f"/{token}/"
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    lines = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n"
    more = upgrade + key if method == "GET" and rng.integers(2) else "Connection: close\r\n"
    return f"{lines}{more}\r\n".encode()


def no_request(rng):
    match int(rng.integers(4)):
        case 0:
            return rng.bytes(int(rng.integers(1, 400)))
        case 1:
            return b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n"
        case 2:
            return b"GET / HTTP/9.9\r\n\r\n"
        case _:
            return b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.bytes(200)  # TLS


def answered(address, sent):
    """What comes back on a connection of its own, until it is closed or silent."""
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=120) as connection:
        try:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            return connection.recv(4096)
        except ConnectionError:
            return b""


def wait_for_its_end(page):
    """The server closes it: what was sent is no frame, or ends within one."""
    with suppress(OSError):
        page.socket.socket.shutdown(socket.SHUT_WR)
    with suppress(ConnectionClosed):
        while True:
            page.read()


def attack(address, rng, count):
    """Send `count` things that are refused; each is looked at. Gives how often which was sent."""
    sent = {}
    messages = [nearly_a_question, nearly_json, nearly_a_picture, too_large]
    with asking.asking(address) as bystander:
        before = bystander.ask(HELLO)[0]
        while sum(sent.values()) < count:
            with asking.asking(address) as page:
                for _ in range(rng.integers(1, 60)):
                    make = messages[int(rng.choice(4, p=[0.4, 0.35, 0.245, 0.005]))]
                    page.socket.send(make(rng))
                    header, _ = page.read()
                    assert header["kind"] in ANSWERS
                    assert "cannot be computed" not in header.get("message", ""), header
                    sent[make.__name__] = sent.get(make.__name__, 0) + 1
                page.socket.socket.sendall(no_frame(rng))
                if rng.integers(2):  # else it is gone without a word
                    wait_for_its_end(page)
                sent["no_frame"] = sent.get("no_frame", 0) + 1
            for _ in range(rng.integers(1, 20)):
                answer = answered(address, request_of_others(rng, address))
                assert answer[:12] in (
                    b"HTTP/1.1 403",
                    b"HTTP/1.1 404",
                    b"HTTP/1.1 405",
                    b"HTTP/1.1 400",
                )
                assert answered(address, no_request(rng))[:12] in (
                    b"",
                    b"HTTP/1.1 400",
                    b"HTTP/1.1 403",
                )
                sent["requests"] = sent.get("requests", 0) + 2
        assert bystander.ask(HELLO)[0] == before
    return sent


@pytest.fixture(scope="module")
def net():
    return models.create("se-cnn", num_classes=3)


def test_what_is_wrong_is_refused_and_nobody_else_notices(net, caplog):
    images = np.random.default_rng(1).integers(0, 256, (12, 1, 28, 28), np.uint8)
    with server.serving(net, collect(net, images, np.arange(12) % 3)) as address:
        attack(address, np.random.default_rng(0), 300)
    assert [r for r in caplog.records if r.name.startswith("minise")] == []


@pytest.fixture
def process(net, tmp_path):
    """`minise play` as a process; gives it, its address, and how much memory it has."""
    images = np.random.default_rng(1).integers(0, 256, (12, 28, 28), np.uint8)
    labels = np.arange(12) % 3
    np.savez(tmp_path / "few.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    about = runs.About("se-cnn", 3, (1, 28, 28), 0.1, 0.3, str(tmp_path / "few.npz"), 0)
    runs.save_weights(tmp_path / "model.safetensors", net, about)
    command = [sys.executable, "-m", "minise", "play", str(tmp_path / "model.safetensors")]
    with subprocess.Popen(
        [*command, "--no-browser"],
        env=os.environ | GIVE_BACK,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as started:
        try:
            yield started, asking.address_of(started), lambda: resident(started.pid)
        finally:
            started.kill()


def resident(pid):
    """MB of a process."""
    with open(f"/proc/{pid}/statm", encoding="utf-8") as file:
        return int(file.read().split()[1]) * 4096 / 2**20


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory of another process")
def test_10_000_attacks_leave_the_process_as_large_as_it_was(process):
    started, address, megabytes = process
    rng = np.random.default_rng(2)
    attack(address, rng, 1000)
    before = megabytes()
    sent = attack(address, rng, 10_000)
    after = megabytes()
    print(sent, f"{before:.0f} MB, then {after:.0f} MB")
    assert after < before + 20
    assert started.poll() is None
    started.terminate()
    assert started.communicate()[1] == ""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory of another process")
def test_10_000_strokes_leave_the_process_as_large_as_it_was(process):
    _, address, megabytes = process
    rng = np.random.default_rng(3)
    with asking.asking(address) as page:
        for n in range(11_000):
            if n == 1000:
                before = megabytes()
            points = (0.1 + 0.8 * rng.random((int(rng.integers(2, 30)), 2))).tolist()
            question = {"kind": "look", "image": {"from": "drawing", "strokes": [points]}, "id": n}
            header, _ = page.ask(question | {"label": int(rng.integers(3))})
            assert header["id"] == n
    after = megabytes()
    print(f"{before:.0f} MB, then {after:.0f} MB")
    assert after < before + 20
