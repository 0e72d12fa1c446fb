"""The command `minise`."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

import minise
from minise.cli.bench import bench_command
from minise.cli.evaluate import eval_command
from minise.cli.export.command import export_command
from minise.cli.gradcheck import gradcheck_command
from minise.cli.inspect import inspect_command
from minise.cli.play import play_command
from minise.cli.predict import predict_command
from minise.cli.presets import presets_command
from minise.cli.recipes import recipes_command
from minise.cli.runs import plot_command, runs_command
from minise.cli.say import tell
from minise.cli.summary import models_command, summary_command
from minise.cli.sweep import sweep_command
from minise.cli.terminal import OutputError, not_written, readable_output
from minise.cli.train import train_command
from minise.cli.tutorials import tutorials_command
from minise.cli.warmup import warmup_command
from minise.errors import InputError
from minise.nearest import nearest

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command and exit; a user's mistake ends in one line, not a traceback."""
    with readable_output(), _told(), warnings.catch_warnings():
        warnings.filterwarnings("always", module=r"minise\.")
        warnings.showwarning = lambda message, *_, **__: tell(f"minise: {message}")
        try:
            code = _run(arguments)
            if sys.stdout is not None:
                sys.stdout.flush()
        except OutputError as error:
            not_written(error)
            code = 1
    sys.exit(code)


def _run(arguments: Sequence[str] | None) -> int:
    try:
        return int(cli.main(arguments, prog_name="minise", standalone_mode=False) or 0)
    except InputError as error:
        tell(f"minise: {error}")
        return 1
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        message = error.format_message()
        if context:
            end = "" if message.endswith((".", "?", "?)")) else "."
            message += f"{end} See {context.command_path} --help"
        tell(f"minise: {message}")
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        tell("minise: stopped")
        return 130


class _Telling(logging.Handler):
    """Tells what is logged as anything else on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            tell(self.format(record))
        except Exception:  # as in logging's own handlers: what is logged ends no training
            self.handleError(record)


@contextmanager
def _told() -> Iterator[None]:
    """Within a `with`, what minise logs is printed, such as downloads."""
    logger = logging.getLogger("minise")
    level, handler = logger.level, _Telling()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


class _Commands(click.Group):
    """Understands `minise version` and `minise help train` as well, and names the nearest."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta["minise.typed"] = list(args)  # for a command that says how to go on
        match args:
            case [] | ["help"]:
                args = ["--help"]
            case ["help", command, *_]:
                args = [command, "--help"]
            case ["version", *_]:
                args = ["--version"]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if self.get_command(ctx, args[0]) is None:
            known = self.list_commands(ctx)
            raise click.UsageError(nearest("command", args[0], known, "minise --help"))
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80}
)
@click.version_option(minise.__version__, prog_name="minise")
def cli() -> None:
    """Squeeze-and-excitation nets, every gradient written by hand.

    Start with `minise train`: in half a minute a small net learns to read digits.
    """


for command in (
    train_command,
    sweep_command,
    eval_command,
    predict_command,
    inspect_command,
    play_command,
    export_command,
    runs_command,
    plot_command,
    recipes_command,
    summary_command,
    gradcheck_command,
    bench_command,
    models_command,
    presets_command,
    warmup_command,
    tutorials_command,
):
    cli.add_command(command)
