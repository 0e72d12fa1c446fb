import io
import os
import re

import pytest
from rich.console import Console

from minise import backend
from minise.cli.compiling import warm_up


@pytest.fixture
def shown(monkeypatch):
    """What is shown while so many kernels are compiled."""

    def shown(kernels, **console):
        def compile_kernels(_, missing, tell):
            for _ in missing:
                tell()

        monkeypatch.setattr(
            type(backend.current()), "missing_kernels", lambda _, work: ["kernel"] * kernels
        )
        monkeypatch.setattr(type(backend.current()), "compile_kernels", compile_kernels)
        file = io.StringIO()
        warm_up(Console(file=file, **console), lambda: None)
        return file.getvalue()

    return shown


@pytest.mark.parametrize("terminal", [True, False])
def test_where_nothing_is_missing_nothing_is_shown(shown, terminal):
    assert "compil" not in shown(0, force_terminal=terminal)


def test_a_pipe_gets_one_line_before_it_begins(shown):
    assert shown(10, width=60) == "compiling 10 kernels, once for this machine …\n"
    assert shown(1, width=60) == "compiling 1 kernel, once for this machine …\n"


@pytest.mark.parametrize("width", [60, 80])
def test_a_bar_counts_kernels_and_leaves_one_line(shown, width):
    text = shown(10, force_terminal=True, width=width, color_system=None)
    assert "10/10 kernels" in text
    assert "\x1b[1A\x1b[2K" in text  # and goes
    assert "compiled 10 kernels, once for this machine, in 0." in text
    assert all(
        len(line) < width for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).splitlines()
    )


def test_ctrl_c_ends_it_at_once_with_one_line(monkeypatch, capsys):
    def interrupted(_, missing, tell):
        raise KeyboardInterrupt

    def end(code):
        raise SystemExit(code)

    monkeypatch.setattr(type(backend.current()), "missing_kernels", lambda _, work: ["kernel"])
    monkeypatch.setattr(type(backend.current()), "compile_kernels", interrupted)
    monkeypatch.setattr(os, "_exit", end)
    with pytest.raises(SystemExit, match="130"):
        warm_up(Console(file=io.StringIO(), force_terminal=True), lambda: None)
    assert capsys.readouterr().err == "minise: stopped\n"
