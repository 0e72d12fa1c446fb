"""The front page: short, its lines fit, its links lead somewhere, and what it says can be typed."""

import re
import shlex
from pathlib import Path

import pytest

from minise.cli import cli

README = Path(__file__).parents[1] / "README.md"
CONTRIBUTING = README.parent / ".github" / "CONTRIBUTING.md"
TEXT = README.read_text(encoding="utf-8")
FENCES = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
PAGES = [README, CONTRIBUTING, *sorted((README.parent / "tutorials").rglob("*.md"))]


def commands(text):
    """Each `minise …` of the fences and of the code within lines, as words."""
    lines = [line for _, code in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.M)
             for line in code.splitlines()]  # fmt: skip
    lines += re.findall(r"`(minise [^`]*)`", text)
    typed = [line.split("&& ")[-1] for line in lines if re.match(r"(.*&& )?minise ", line)]
    return [shlex.split(line, comments=True)[1:] for line in typed]


def test_the_readme_is_short_and_its_fences_fit_a_terminal():
    assert len(TEXT.splitlines()) <= 180
    wide = [line for _, code in FENCES for line in code.splitlines() if len(line) > 80]
    assert wide == []


@pytest.mark.parametrize("page", [README, CONTRIBUTING], ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", page.read_text(encoding="utf-8"))
    assert links
    for path, heading in links:
        target = page.parent / path
        assert target.exists(), path
        headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.M) if heading else []
        assert heading in ["", *(h.lower().replace(" ", "-") for h in headings)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_on_the_pages_exist(page):
    for words in commands(page.read_text(encoding="utf-8")):
        if words[0].startswith("-") or words[0] in ("MODEL.onnx", "…"):
            continue
        command = cli.commands[words[0]]
        known = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert given <= {*known, "--help"}, words


def test_the_python_of_the_readme_runs_and_prints_what_it_shows(capsys):
    codes = [code for language, code in FENCES if language == "python"]
    assert len(codes) == 2
    for code in codes:
        exec(code, {})
    shape, report = capsys.readouterr().out.split("\n", 1)
    assert f"# {shape}" in codes[0].splitlines()[-1]
    assert report in [shown for language, shown in FENCES if not language]
