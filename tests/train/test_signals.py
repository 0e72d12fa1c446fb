import importlib
import os
import signal
import threading

import pytest

from minise.train import signals as signals_module
from minise.train.signals import StopSignals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_interrupts(number):
    before = signal.getsignal(number)
    with StopSignals() as signals:
        assert not signals.requested
        os.kill(os.getpid(), number)
        assert signals.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has none")
def test_a_closed_terminal_asks_however_often_it_is_told():
    before = signal.getsignal(signal.SIGHUP)
    with StopSignals() as signals:
        for _ in range(3):
            signal.raise_signal(signal.SIGHUP)
            assert signals.requested
    assert signal.getsignal(signal.SIGHUP) == before


def test_signals_are_those_that_the_system_has(monkeypatch):
    try:
        with monkeypatch.context() as patch:
            patch.setattr(signal, "SIGBREAK", signal.SIGUSR1, raising=False)
            patch.delattr(signal, "SIGHUP")
            assert set(importlib.reload(signals_module)._DEFAULTS) == {
                signal.SIGINT,
                signal.SIGTERM,
                signal.SIGUSR1,
            }
    finally:
        importlib.reload(signals_module)


def test_a_handler_of_somebody_else_stays():
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append("theirs"))
    try:
        with StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGTERM)
            assert seen == ["theirs"]
            assert not signals.requested
    finally:
        signal.signal(signal.SIGTERM, before)


def test_in_another_thread_nothing_is_taken_over():
    before, within = signal.getsignal(signal.SIGINT), []

    def work():
        with StopSignals():
            within.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert within == [before]
