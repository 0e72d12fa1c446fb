"""A page's end of `minise play`, without the page: what it sends, and reads of an answer."""

import http.client
import json
from contextlib import contextmanager
from urllib.parse import urlsplit

import numpy as np
from websockets.sync.client import connect

LOOK = {"kind": "look", "image": {"from": "test", "number": 3}, "label": 1}


class Asked:
    """One page's websocket."""

    def __init__(self, socket):
        self.socket = socket

    def send(self, question, content=None):
        text = json.dumps(question)
        if content is not None:
            data = text.encode()
            text = len(data).to_bytes(4, "little") + data + content
        self.socket.send(text)

    def read(self, timeout=120):
        """The next answer: its JSON, and its numbers."""
        return read(self.socket.recv(timeout))

    def ask(self, question, content=None):
        self.send(question, content)
        return self.read()

    def raw(self, frame):
        """What is answered to a frame as it is."""
        self.socket.send(frame)
        return self.read()[0]


def read(frame):
    length = int.from_bytes(frame[:4], "little")
    assert length % 4 == 0
    return json.loads(frame[4 : 4 + length]), np.frombuffer(frame[4 + length :], "<f4")


def address_of(process):
    """Where `minise play`, a process, serves its page; it may have kernels to compile first."""
    said = []
    for line in process.stdout:
        said.append(line.strip())
        if said[-1] == "Ctrl-C stops it":
            return said[-2]
    raise AssertionError(f"it ended: {said} {process.stderr.read()}")


@contextmanager
def asking(address, **options):
    """A page that is open at this address, as its browser opens it."""
    parts = urlsplit(address)
    options = {"origin": f"{parts.scheme}://{parts.netloc}", "compression": None} | options
    options = {"open_timeout": 120, "ping_interval": None} | options  # the machine may be busy
    with connect(f"ws://{parts.netloc}{parts.path}socket", max_size=None, **options) as socket:
        yield Asked(socket)


def request(address, path=None, *, method="GET", headers=()):
    """The status, the headers and the content of an answer; with `headers` no others are sent."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)
    try:
        connection.putrequest(
            method,
            parts.path if path is None else path,
            skip_host=bool(headers),
            skip_accept_encoding=True,
        )
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()
