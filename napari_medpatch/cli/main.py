"""Entry point: parse, run one command, turn every outcome into a sentence and an exit code."""

import argparse
import importlib
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from napari_medpatch import __version__
from napari_medpatch.errors import ChoiceNeededError, MedPatchError

COMMANDS = {
    "open": "open napari with the right layers",
    "info": "say what a file is: kind, size, levels, spacing and where that came from",
    "models": "list models; fetch published ones",
    "classify": "classify the patches of slides, photographs or a folder of patches",
    "explain": "show where a patch classifier looked, as a map of a region",
    "segment": "segment a volume, photograph or slide",
    "interpolate": "fill between painted slices of a volume",
    "clean": "clean a mask in steps: pieces, holes, edges, left and right",
    "finetune": "train a model from sparse labels painted on one image",
    "evaluate": "compare a mask with the truth",
    "export": "convert an image, mask, map, score file or model to another format",
    "demo": "run the four jobs on sample data, with pictures",
}
INTERRUPTED = 130
TERMINATED = 143


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with one sub-parser per command."""
    parser = argparse.ArgumentParser(
        prog="napari-medpatch",
        description="Open, classify, segment, retrain and export medical images.",
    )
    parser.add_argument("--version", action="version", version=f"napari-medpatch {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show tracebacks and log messages")
    common.add_argument("--quiet", action="store_true", help="no progress bar")
    common.add_argument("--cache-mb", metavar="MB", help="memory for decoded tiles of slides (default 512)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in COMMANDS.items():
        sub = commands.add_parser(
            name, help=summary, description=summary[0].upper() + summary[1:] + ".", parents=[common]
        )
        module = importlib.import_module(f"napari_medpatch.cli.{name}_command")
        module.add_arguments(sub)
        sub.set_defaults(run=module.run, kept=getattr(module, "kept", None))
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; ``sys.argv[1:]`` by default.

    Returns
    -------
    int
        0 on success, 2 on bad input, 130 after Ctrl-C, 143 after SIGTERM, 1 on a defect of the program.
    """
    arguments = build_parser().parse_args(argv)
    logging.basicConfig(level=logging.DEBUG if arguments.debug else logging.ERROR)
    if arguments.cache_mb is not None:
        from napari_medpatch.io.tile_cache import CACHE_VARIABLE

        # The window and workers started from here read it from there too.
        os.environ[CACHE_VARIABLE] = arguments.cache_mb
    with _terminate_cleanly():
        return _guarded(arguments)


def _guarded(arguments: argparse.Namespace) -> int:
    begun_ns = time.time_ns()
    try:
        return int(arguments.run(arguments) or 0)
    except KeyboardInterrupt:
        _forget_interrupt()
        from napari_medpatch.cli.kept import stopped

        return _fail(stopped(arguments, begun_ns), INTERRUPTED)
    except ChoiceNeededError as error:
        code = _fail(f"{str(error).rstrip('.')} (--volume-index N).", error.exit_code, arguments.debug)
        sys.stderr.writelines(f"{line}\n" for line in error.listing())
        return code
    except MedPatchError as error:
        return _fail(str(error), error.exit_code, arguments.debug)
    except PermissionError as error:
        # Writing has sentences of its own; what is left are looks into folders that this user may not enter.
        return _fail(f"{error.filename or 'a file'} cannot be read (no permission).", 2, arguments.debug)
    except MemoryError:
        return _fail(
            "not enough memory for this input; close other programs or use a smaller input", 2, arguments.debug
        )
    except BrokenPipeError:
        # The reader of our output (head, less) went away; that is no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - last line of defence: no traceback for users
        message = f"unexpected {type(error).__name__}: {error}; run again with --debug and report it"
        return _fail(message, 1, arguments.debug)


def _forget_interrupt() -> None:
    """Let Python end with our exit code.

    Where Ctrl-C meets code that a library made from text, Python notes an unhandled interrupt, although it is handled
    here, and would end by signal. Running any text takes the note back.
    """
    exec("")


def _fail(message: str, code: int, debug: bool = False) -> int:
    if debug:
        logging.getLogger(__name__).exception("The command failed.")
    sys.stderr.write(f"napari-medpatch: {' '.join(message.split())}\n")
    return code


@contextmanager
def _terminate_cleanly() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that jobs close and partial results reach the disk."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(TERMINATED)

    try:
        previous = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread (a test, a notebook): leave signals alone
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
