"""The process beside a run that talks to MLflow: JSON lines come in, one line per step of progress goes out.

It reads ahead of what it writes, so that everything handed over is delivered even when the run that fed it dies.
"""

import contextlib
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from suite.track.place import reason

Send = Callable[[dict[str, Any]], None]


def _ahead(lines: TextIO) -> Iterator[str]:
    """The lines of a stream, read by a thread as fast as they come."""
    waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def read() -> None:
        for line in lines:
            waiting.put(line)
        waiting.put(None)

    threading.Thread(target=read, daemon=True).start()
    while (line := waiting.get()) is not None:
        yield line


def follow(home: Path, lines: Iterator[str], send: Send) -> None:
    """Deliver one invocation as it is told; without a finish() it is closed as killed."""
    from suite.track.database import open_client
    from suite.track.write import Writer, close_dead

    client = open_client(home)
    close_dead(client)
    send({"open": True})
    writer = Writer(client, home, lambda: send({"written": True}))
    for line in lines:
        try:
            message = json.loads(line)
        except ValueError:
            break  # the run died in the middle of a line
        if message["do"] == "begin":
            writer.begin(message["invocation"], message["card"])
        elif message["do"] == "trials":
            writer.trials(message["records"], reused=message["reused"])
        elif message["do"] == "finish":
            ledger = message["ledger"]
            writer.finish(
                message["invocation"], Path(ledger) if ledger else None, [Path(path) for path in message["artifacts"]]
            )
    writer.abandon()


def serve(home: Path, work: Callable[[Iterator[str], Send], None]) -> int:
    """Run ``work`` between standard input and output; a failure is one line there and a traceback in the log."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print must not mix with the answers

    def send(answer: dict[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            answers.write(json.dumps(answer) + "\n")
            answers.flush()

    with contextlib.suppress(OSError):
        os.nice(5)
    try:
        work(_ahead(sys.stdin), send)
    except ImportError as error:
        traceback.print_exc()
        send({"failed": f"mlflow cannot be imported ({error})"})
        return 1
    except Exception as error:
        traceback.print_exc()
        send({"failed": reason(error)})
        return 1
    send({"done": True})
    return 0
