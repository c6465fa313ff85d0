"""MLflow as an index over the store: written while running, rebuilt from files afterwards, never read for results.

Nothing here decides anything: trial records and ledgers do.  The process that runs a task holds a ``Tracker`` and
imports no mlflow; another process beside it does.  ``sync`` fills an empty, partial or damaged MLflow from the files
through the same code.

    tracker = Tracker(home)
    tracker.begin(invocation, card)
    tracker.trials(records)                      # as they come; reused=True for those that were not measured now
    tracker.finish(invocation, ledger, [report])
    tracker.close()
"""

from suite.track.dashboard import dashboard
from suite.track.place import available, tracking_uri
from suite.track.rebuild import Synced, sync
from suite.track.tracker import Tracker

__all__ = ["Synced", "Tracker", "available", "dashboard", "sync", "tracking_uri"]
