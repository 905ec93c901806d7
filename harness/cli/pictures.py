"""`iolab pictures`: record what each model does while it waits, and draw it."""

from __future__ import annotations

from collections.abc import Sequence

from iolab.harness.backends import identity
from iolab.harness.backends.choose import AUTO, BACKENDS, prepared
from iolab.harness.command_line import Parser
from iolab.harness.pages import main as write_pages
from iolab.harness.pictures.recording import record
from iolab.harness.pictures.stories import STORIES
from iolab.harness.progress import Progress
from iolab.harness.run.options import model
from iolab.server import models


def main(arguments: Sequence[str]) -> int:
    """Record the models given, or all, keep the recordings, and write the page and its pictures."""
    parser = Parser(prog="iolab pictures", description=main.__doc__)
    parser.add_argument("--backend", choices=(AUTO, *BACKENDS), default=AUTO, help="where")
    parser.add_argument(
        "--model", action="append", choices=models.NAMES, help="which (repeatable; default: all)"
    )
    options = parser.parse_args(arguments)
    backend, why = prepared(options.backend, identity.new_id())
    print(why)
    try:
        with Progress() as progress:
            for name in options.model or models.NAMES:
                why_not = models.load(name).unavailable()
                if why_not is not None:
                    progress.say(f"{name}: the last recording stays: {why_not}")
                    continue
                for story in STORIES:
                    progress.doing(f"{name}: watched while it is {story.name}")
                    record(backend, model(name), story).save()
    finally:
        backend.close()
    return write_pages([])
