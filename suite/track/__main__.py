"""The processes that import mlflow: ``python -m suite.track feed|sync|prepare <home>``, spoken to in JSON lines."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from suite.track.feed import Send, follow, serve
from suite.track.rebuild import rebuild


def main(arguments: list[str]) -> int:
    verb, home = arguments[0], Path(arguments[1])

    def prepare(_lines: Iterator[str], send: Send) -> None:
        from suite.track.database import open_client

        found = open_client(home).search_experiments(order_by=["last_update_time DESC"], max_results=100)
        send({"experiments": [[one.name, one.experiment_id] for one in found if "suite.slug" in one.tags]})

    def sync(lines: Iterator[str], send: Send) -> None:
        order = json.loads(next(iter(lines)))
        trials, runs, results = (Path(order[name]) for name in ("trials", "runs", "results"))
        done = rebuild(home, trials, runs, results, order["cards"], lambda line: send({"say": line}))
        send({"again": True} if done is None else {"invocations": done.invocations, "written": done.written})

    work = {"feed": lambda lines, send: follow(home, lines, send), "sync": sync, "prepare": prepare}
    return serve(home, work[verb])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
