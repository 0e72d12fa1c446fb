"""The site's front page starts a learner; the page of commands has all of them."""

import re
from pathlib import Path

import commands
import pytest
from click.testing import CliRunner

from minise.cli import cli

SITE = Path(commands.__file__).parent
FRONT = (SITE / "index.md").read_text(encoding="utf-8")
PHONE = 390  # pixels; some 16 on each side are margin


def test_each_command_has_its_help_on_the_page_of_commands():
    page = (SITE / "commands.md").read_text(encoding="utf-8")
    shown = re.findall(r"^### minise (\S+)\n\n```{command-help} (\S+)\n```$", page, re.MULTILINE)
    assert sorted(shown) == [(name, name) for name in sorted(cli.commands)]


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_the_help_is_that_of_a_terminal(name):
    printed = CliRunner().invoke(cli, [name, "--help"], prog_name="minise").output
    usage, paragraphs, options = commands.help_of(name)
    parts = ["Usage:", usage, *paragraphs, "Options:", *(part for row in options for part in row)]
    parts = [part.replace("\b", "") for part in parts]
    assert "".join("".join(parts).split()) == "".join(printed.split())


def test_there_is_no_help_of_what_is_no_command():
    with pytest.raises(KeyError, match="nothing"):
        commands.help_of("nothing")


def test_the_front_page_says_what_to_type_first():
    fences = re.findall(r"^```([^\n]*)\n(.*?)^```$", FRONT, re.DOTALL | re.MULTILINE)
    first, *others = [typed for kind, typed in fences if not kind]
    assert first.splitlines() == ["python -m pip install .", "minise train"]
    assert "minise tutorials\n" in others


def test_pictures_of_the_front_page_can_be_read_on_a_phone():
    pictures = re.findall(r":file: (\S+)|!\[.*?\]\((\S+)\)", FRONT)
    assert pictures
    for drawn, image in pictures:
        assert not image, "a picture of pixels shrinks with its letters"
        text = (SITE / drawn).read_text(encoding="utf-8")
        width = float(re.search(r'viewBox="0 0 (\d+) ', text)[1])
        smallest = min(map(float, re.findall(r'font-size="(\d+)', text)))
        assert smallest * min(1, (PHONE - 32) / width) >= 12
