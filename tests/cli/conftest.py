import pytest
from matplotlib.figure import Figure
from PIL import Image

from minise import cli


@pytest.fixture
def drawn():
    """Pictures are drawn as they are for a user."""


@pytest.fixture(autouse=True)
def _white_paper(request, monkeypatch):
    """A picture's file is there, and white: to draw one takes longer than a short training."""

    def savefig(figure, file, **options):
        size = (figure.get_size_inches() * figure.dpi).astype(int)
        Image.new("L", tuple(map(int, size)), 255).save(file, options.get("format"))

    if "drawn" not in request.fixturenames:
        monkeypatch.setattr(Figure, "savefig", savefig)


@pytest.fixture
def minise(capsys, tmp_path, monkeypatch):
    """Run the command in an empty folder; gives (exit code, what it printed, its errors)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            cli.main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return exit_.value.code, printed.out, printed.err

    return run
