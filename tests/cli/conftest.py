import pytest

from minise import cli


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
