"""Streams, events and the recording of graphs.

All work is done at once, whatever its stream, but for two things: what is captured is only
recorded, and copies from and to pinned memory end when somebody waits for their stream.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

from cupy import stand_in
from cupy.cuda import runtime
from cupy.cuda.graph import Graph

Step = Callable[[], None]

# Held by whoever works on memory: the work of all threads is done one piece after the other.
lock = threading.RLock()
_thread = threading.local()
_addresses = itertools.count(2)  # 0 and 1 are CUDA's default streams
_waits = 0  # how often anybody waited, never reset
_recordings: list[Recording] = []  # under way, in all threads
_unfinished: list[tuple[Stream, Step]] = []  # ends of copies that nobody waited for yet


class Recording:
    """A capture under way: what was asked for, in order, not done yet."""

    def __init__(self, origin: Stream, mode: int) -> None:
        self.streams = [origin]
        self.mode = mode
        self.steps: list[Step] = []
        self.broken = False


class Stream:
    """A queue of work; its context makes it the current one of this thread."""

    null: Stream

    def __init__(
        self, null: bool = False, non_blocking: bool = False, ptds: bool = False, priority=None
    ) -> None:
        self.ptr = 0 if null else 1 if ptds else next(_addresses)
        self.device_id = -1 if null or ptds else runtime.getDevice()
        self.is_non_blocking = non_blocking
        self.recording: Recording | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self.ptr == other.ptr

    def __hash__(self) -> int:
        return self.ptr

    def __repr__(self) -> str:
        return f"<Stream {self.ptr} (device {self.device_id})>"

    def __enter__(self) -> Stream:
        _stack().append(self)
        return self

    def __exit__(self, *error: object) -> None:
        _stack().pop()

    def use(self) -> Stream:
        _stack()[-1] = self
        return self

    @property
    def done(self) -> bool:
        return not any(stream == self for stream, _ in _unfinished)

    def synchronize(self) -> None:
        check_may_wait(self)
        _finish(self)

    def record(self, event: Event | None = None) -> Event:
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        if event.recording and event.recording is not self.recording:
            event.recording.streams.append(self)  # a fork: this stream is captured, too
            self.recording = event.recording
        for stream, step in list(_unfinished):
            if stream == event.stream:  # who waits for this stream waits for that work, too
                finish_later(self, step)

    def begin_capture(self, mode: int | None = None) -> None:
        if self.ptr in (0, 1):
            raise RuntimeError("cannot capture on the default (legacy) stream")
        if self.recording:
            raise runtime.CUDARuntimeError(401)
        self.recording = Recording(self, runtime.streamCaptureModeRelaxed if mode is None else mode)
        _recordings.append(self.recording)

    def end_capture(self) -> Graph:
        recording = self.recording
        if recording is None:
            raise runtime.CUDARuntimeError(401)
        for stream in recording.streams:
            stream.recording = None
        _recordings.remove(recording)
        if recording.broken:
            raise runtime.CUDARuntimeError(901)
        return Graph(recording.steps)

    def is_capturing(self) -> bool:
        return self.recording is not None


Stream.null = Stream(null=True)
Stream.ptds = Stream(ptds=True)


class Event:
    """A mark in a stream."""

    def __init__(
        self, block: bool = False, disable_timing: bool = False, interprocess: bool = False
    ) -> None:
        self.disable_timing = disable_timing
        self.stream: Stream | None = None
        self.recording: Recording | None = None
        self.time = self.waits = 0.0

    @property
    def done(self) -> bool:
        return self.stream is None or self.waits < _waits

    def record(self, stream: Stream | None = None) -> None:
        self.stream = stream or get_current_stream()
        self.recording = recording_of(self.stream)
        self.time, self.waits = time.perf_counter(), _waits

    def synchronize(self) -> None:
        if self.recording:
            refuse(self.recording, 900)
        check_may_wait(get_current_stream())
        if self.stream is not None:
            _finish(self.stream)


def get_elapsed_time(start_event: Event, end_event: Event) -> float:
    """Milliseconds between two events, both of which somebody must have waited for."""
    for event in (start_event, end_event):
        if event.stream is None or event.disable_timing:
            raise runtime.CUDARuntimeError(400)
    if not (start_event.done and end_event.done):
        raise runtime.CUDARuntimeError(600)
    return (end_event.time - start_event.time) * 1000


def _stack() -> list[Stream]:
    try:
        return _thread.streams
    except AttributeError:
        _thread.streams = [Stream.null]
        return _thread.streams


def get_current_stream(device_id: int = -1) -> Stream:
    return _stack()[-1]


def recording_of(stream: Stream) -> Recording | None:
    """The capture that work on this stream goes into, or None where it is done at once."""
    recording = stream.recording
    if recording is None:
        if stream.ptr == 0:
            for other in _recordings:
                if not other.streams[0].is_non_blocking:
                    refuse(other, 906)
        return None
    if recording.broken:
        raise runtime.CUDARuntimeError(901)
    return recording


def refuse(recording: Recording, status: int) -> None:
    """Break off the capture, as CUDA does after what it does not allow."""
    recording.broken = True
    raise runtime.CUDARuntimeError(status)


def check_may_wait(stream: Stream) -> None:
    """Raise the error of CUDA where the stream is being captured."""
    if recording := recording_of(stream):
        refuse(recording, 900)


def check_may_allocate() -> None:
    """New memory cannot be had during a capture unless its mode is the relaxed one."""
    for recording in _recordings:
        if recording.mode == runtime.streamCaptureModeGlobal:
            refuse(recording, 900)


def wait(stream: Stream | None = None) -> None:
    """What every call does that hands numbers to the processor: wait for the stream."""
    stream = stream or get_current_stream()
    check_may_wait(stream)
    _finish(stream)


def wait_for_device() -> None:
    """Wait for all streams."""
    for recording in _recordings:
        refuse(recording, 900)
    _finish(None)


def finish_later(stream: Stream, step: Step) -> None:
    """Do the step when somebody waits for the stream."""
    with lock:
        _unfinished.append((stream, step))


def _finish(stream: Stream | None) -> None:
    global _waits
    with lock:
        _waits += 1
        stand_in.synchronisations += 1
        everything = stream is None
        # The null stream waits for all streams that did not ask to be left alone.
        finished = {
            step: None  # a dictionary keeps the order, and each step once
            for other, step in _unfinished
            if everything or other == stream or (stream.ptr == 0 and not other.is_non_blocking)
        }
        _unfinished[:] = [entry for entry in _unfinished if entry[1] not in finished]
        for step in finished:
            step()
