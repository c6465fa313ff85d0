"""Writing entries into MLflow: a run per invocation, below it one per verdict trial and per group of tuning trials.

A run below costs four calls: create, one ``log_batch``, its data set if it names one, end.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from mlflow.tracking.client import MlflowClient

from suite.track import invocation as about
from suite.track.entries import TUNING, Entry, Record, grid, group_of, keys_of, short, trial, tuning, tuning_table
from suite.track.owner import dead, identity
from suite.track.place import artifact_location, tracking_uri
from suite.track.points import Point

WRITER = "suite.writer"  # the identity of the process that writes the run; then DONE, or GONE
DONE, GONE = "done", "gone"
_PAGE = 1000


def close_dead(client: MlflowClient) -> int:
    """Close what dead processes left ``RUNNING``: invocations become ``KILLED``, half-written trials are removed too.

    Runs of live processes, of other machines and of other programs stay as they are.  Returns how many were closed.
    """
    experiments = [e.experiment_id for e in client.search_experiments(filter_string="tags.`suite.slug` LIKE '%'")]
    if not experiments:
        return 0
    running = list(_pages(client, experiments, "attributes.status = 'RUNNING'", ViewType.ACTIVE_ONLY))
    alive = {run.info.run_id for run in running if WRITER in run.data.tags and not dead(run.data.tags[WRITER])}
    closed = 0
    for run in running:
        tags, here = run.data.tags, run.info.run_id
        if WRITER in tags and here not in alive:
            client.set_tag(here, WRITER, GONE)
            client.set_terminated(here, "KILLED")
            closed += 1
        elif keys_of(tags) and tags.get("mlflow.parentRunId") not in alive:
            client.set_terminated(here, "KILLED")
            client.delete_run(here)
            closed += 1
    return closed


def _pages(client: MlflowClient, experiments: list[str], wanted: str, view: int) -> Iterable[Any]:
    token = None
    while True:
        page = client.search_runs(experiments, wanted, view, max_results=_PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def is_live(writer: str) -> bool:
    """Whether the process of that name may still be writing."""
    return writer not in (DONE, GONE) and not dead(writer)


@dataclass
class Present:
    """What an experiment holds already: its invocations, each with its run and writer, and the trials' short keys."""

    parents: dict[str, tuple[str, str]] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)

    @property
    def live(self) -> bool:
        return any(is_live(writer) for _, writer in self.parents.values())


def present(client: MlflowClient, experiment_id: str) -> Present:
    """One pass over an experiment's runs; what a user deleted there counts as present and is not brought back."""
    found = Present()
    for run in _pages(client, [experiment_id], "", ViewType.ALL):
        tags = run.data.tags
        if "suite.invocation" in tags:
            found.parents[tags["suite.invocation"]] = (run.info.run_id, tags.get(WRITER, GONE))
        elif run.info.status == "FINISHED":
            found.keys |= keys_of(tags)
    return found


def experiment_of(client: MlflowClient, home: Path, slug: str, card: Mapping[str, Any] | None) -> str:
    """The experiment of a task, made when it is missing and restored when it was deleted."""
    found = client.get_experiment_by_name(slug)
    view = about.view(card)
    if found is None:
        tags = {
            "suite.slug": slug,
            "mlflow.experimentKind": "custom_model_development",
            "mlflow.note.content": about.experiment_note(card),
            about.VIEW_TAG: view,
        }
        place = artifact_location(home, tracking_uri(home), slug)
        try:
            return client.create_experiment(slug, place, {key: value for key, value in tags.items() if value})
        except MlflowException:
            found = client.get_experiment_by_name(slug)  # another process was faster
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    if card is not None and found.tags.get(about.VIEW_TAG) != view:
        client.set_experiment_tag(found.experiment_id, about.VIEW_TAG, view)
    return found.experiment_id


class Writer:
    """Writes one invocation after the other; ``progress`` is called after every call that changed something."""

    def __init__(self, client: MlflowClient, home: Path, progress: Callable[[], None] = lambda: None) -> None:
        self.client, self.home, self.progress = client, home, progress
        self.run_id: str | None = None
        self.written = 0

    def begin(self, invocation: Mapping[str, Any], card: Mapping[str, Any] | None, seen: Present | None = None) -> None:
        """Open the invocation's run.  ``seen`` makes this a rebuild: whatever is there is not written again."""
        self.invocation, self.card, self.seen, self.rebuilding = invocation, card, seen, seen is not None
        self.experiment_id = experiment_of(self.client, self.home, invocation["slug"], card)
        self.groups: dict[str, list[Record]] = {}
        self.tuned: list[Record] = []
        self.data: dict[str, str] = {}
        self.seconds = 0.0
        if seen is not None and invocation["id"] in seen.parents:
            self.run_id = seen.parents[invocation["id"]][0]
            return
        tags = {**about.tags(invocation, card), WRITER: identity()}
        if not self.rebuilding:
            tags["outcome"] = "running"
        run = self.client.create_run(self.experiment_id, about.start(invocation), tags, about.name(invocation))
        self.run_id = run.info.run_id
        self.progress()

    def trials(self, records: Iterable[Record], *, reused: bool = False) -> None:
        """Add trials.  Reused ones are written only if no run holds them yet (their own run may have died first)."""
        for record in records:
            if record["seed"]["purpose"] == TUNING:
                self.tuned.append(record)
            if not reused:
                self.seconds += float(record.get("seconds") or 0)
            self.data |= trial(record).data if record.get("data") else {}
            if (reused or self.rebuilding) and self._seen(record):
                continue
            if record["seed"]["purpose"] != TUNING:
                self._write(trial(record, self.card))
                continue
            group = self.groups.setdefault(group_of(record), [])
            group.append(record)
            if len(group) == len(grid(record, self.card)):
                self._write(tuning(self.groups.pop(group_of(record)), self.card))

    def finish(
        self, invocation: Mapping[str, Any], ledger: Path | None, artifacts: Sequence[Path] = (), *, newest: bool = True
    ) -> None:
        """Complete the invocation's run: its verdict, the ledger, the figures, the report and the tuning tables.

        The ``newest`` finished one of its tier also shows its outcome in the list of experiments.
        """
        assert self.run_id is not None, "finish() needs a begin()"
        self.flush()
        for path, folder in [
            (ledger, None),
            *((path, None if path.suffix == ".pdf" else "figures") for path in artifacts),
        ]:
            if path is not None and path.is_file():
                self.client.log_artifact(self.run_id, str(path), folder)
                self.progress()
        for name, table in tuning_table(self.tuned, self.card).items():
            self.client.log_text(self.run_id, table, name)
        measured, reused = about.counts(invocation)
        moment = about.end(invocation)
        numbers = {"trials_measured": measured, "trials_reused": reused, "seconds_of_trials": self.seconds}
        metrics = [Metric(key, float(value), moment, 0) for key, value in numbers.items()]
        ended = str(invocation.get("status")) in ("finished", "failed", "killed")
        tags = {**about.tags(invocation, self.card), WRITER: DONE if ended else GONE}
        self._inputs(self.run_id, self.data)
        self.client.set_terminated(self.run_id, about.status(invocation), moment)
        self.client.log_batch(self.run_id, metrics, (), [RunTag(key, value) for key, value in tags.items()])
        if newest and invocation.get("status") == "finished":
            outcome = about.outcome(invocation, self.card)
            self.client.set_experiment_tag(self.experiment_id, f"outcome.{invocation['tier']}", outcome)
        self.run_id = None
        self.progress()

    def abandon(self) -> None:
        """Close what was begun and not finished: whoever fed us is gone."""
        if self.run_id is not None:
            self.flush()
            self.client.set_tag(self.run_id, WRITER, GONE)
            self.client.set_tag(self.run_id, "outcome", "stopped")
            self.client.set_terminated(self.run_id, "KILLED")
            self.run_id = None

    def _seen(self, record: Record) -> bool:
        if self.seen is None:
            self.seen = present(self.client, self.experiment_id)
        return short(record["key"]) in self.seen.keys

    def flush(self) -> None:
        """Write the tuning groups that are not complete; there will be no more of them."""
        for group in self.groups.values():
            self._write(tuning(group, self.card))
        self.groups = {}

    def _write(self, entry: Entry) -> None:
        tags = {**entry.tags, "mlflow.parentRunId": self.run_id}
        run = self.client.create_run(self.experiment_id, entry.start, tags, entry.name)
        here = run.info.run_id
        self.client.log_batch(
            here, _metrics(entry.points, entry.end), [Param(key, value) for key, value in entry.params.items()]
        )
        self._inputs(here, entry.data)
        self.client.set_terminated(here, "FINISHED", entry.end)
        self.written += 1
        if self.seen is not None:
            self.seen.keys |= keys_of(entry.tags)
        self.progress()

    def _inputs(self, run_id: str, data: Mapping[str, str]) -> None:
        if data:
            sets = [Dataset(name[:500], digest, "local", "{}") for name, digest in sorted(data.items())]
            self.client.log_inputs(
                run_id, [DatasetInput(item, [InputTag("mlflow.data.context", "experiment")]) for item in sets]
            )


def _metrics(points: Iterable[Point], moment: int) -> list[Metric]:
    return [Metric(point.key, point.value, moment, point.step) for point in points]
