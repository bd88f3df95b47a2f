"""The application: its verbs, its exit codes and its log."""

from __future__ import annotations

import errno
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from fewstain import __version__
from fewstain.cli import (
    benchmark,
    check,
    conditions,
    control,
    diffusion,
    export,
    painting,
    pairs,
    pixels,
    report,
    segmenter,
    start,
    translation,
    variation,
    viewer,
)
from fewstain.errors import UserError
from fewstain.logfile import tee_output
from fewstain.storage import write_error

DONE, OURS, USERS, INTERRUPTED = 0, 1, 2, 130
# verbs that take long, and keep nothing of what they did before they end
BEGINS_ANEW = frozenset({"fit-pixels", "benchmark-cell"})

app = typer.Typer(
    name="fewstain",
    help="From a folder of microscope images and 20-50 labeled crops to instance masks of every image.",
    epilog="Exit codes: 0 done, 2 your input is at fault, 1 a fault of fewstain's own, 130 stopped by you.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (
    *(start, check, diffusion, conditions, painting, variation, control, translation),
    *(pixels, pairs, segmenter, report, export, viewer, benchmark),
):
    group.add_to(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fewstain {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    log: Annotated[
        Path | None, typer.Option(help="Also write here what is printed; the terminal shows it all the same.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    context.ensure_object(dict)["verb"] = context.invoked_subcommand
    if log is not None:
        context.with_resource(tee_output(log, context.invoked_subcommand or ""))


def main() -> None:
    """Run the command line; the process ends with one of the exit codes above."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        Without the program's name.

    Returns
    -------
    int
        0 done, 2 the user's input is at fault, 1 the program is, 130 interrupted.
    """
    invoked: dict[str, str] = {}
    try:
        app(arguments, prog_name="fewstain", obj=invoked)
    except UserError as error:
        print(f"fewstain: {error}", file=sys.stderr)
        return USERS
    except OSError as error:
        name = error.filename or ("the output" if error.errno == errno.ENOSPC else None)
        told = write_error(Path(name), error) if name else None
        if told is None:
            return _our_fault()
        print(f"fewstain: {told}", file=sys.stderr)
        return USERS
    except KeyboardInterrupt:
        return _interrupted(invoked.get("verb"))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else (OURS if end.code else DONE)
        return _interrupted(invoked.get("verb")) if code == INTERRUPTED else code
    except Exception as error:
        if _lacks_memory(error):
            print("fewstain: not enough memory; give it smaller images, or fewer, or a larger machine", file=sys.stderr)
            return USERS
        return _our_fault()
    return DONE


def _lacks_memory(error: Exception) -> bool:
    """Tell whether Python, NumPy or torch asked for more memory than there is; torch has no error of its own for it."""
    return isinstance(error, MemoryError) or "allocate memory" in str(error) or "out of memory" in str(error)


def _interrupted(verb: str | None) -> int:
    anew = verb in BEGINS_ANEW
    remedy = "the same command begins this step anew" if anew else "run the same command again to go on"
    print(f"fewstain: stopped; {remedy}", file=sys.stderr)
    return INTERRUPTED


def _our_fault() -> int:
    traceback.print_exc()
    print(
        f"fewstain {__version__}: this is a fault of the program, not yours. "
        "Please report it with the lines above and your command; CONTRIBUTING.md says where.",
        file=sys.stderr,
    )
    return OURS
