"""Is the judge right, and is a task in order: checks with known answers, as a table.

Exit code 0: everything holds; 1: a check failed; 2: none failed, and one could not be made.
"""

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from suite import ledger, registry
from suite.claims import TIERS
from suite.errors import UserError

Row = tuple[str, bool | None, str]  # what is checked, whether it holds (None: it could not be looked at), and numbers
_WORDS = {True: "[green]holds[/]", False: "[red]FAILS[/]", None: "[yellow]NOT MADE[/]"}


def examine(tasks: Sequence[str]) -> int:
    """Check the judge on synthetic worlds, then each task's seeds, repeatability, mutants and stored calibration."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    pages = [registry.find(name) for name in tasks]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("check", "result", ""):
        table.add_column(name, overflow="fold")
    seen = set()
    for name, good, detail in [*judge_checks(), *(row for page in pages for row in _whatever_comes(page))]:
        seen.add(good)
        table.add_row(name, _WORDS[good], escape(detail))
    Console(highlight=False, soft_wrap=True).print(table)
    return 1 if False in seen else 2 if None in seen else 0


def _whatever_comes(page: registry.Page) -> Iterator[Row]:
    """A task's checks; one that cannot be made ends them and not the table."""
    try:
        yield from task_checks(page)
    except UserError as error:
        yield f"{page.slug}: the rest", None, (str(error).splitlines() or [""])[0]


def judge_checks() -> Iterator[Row]:
    """Null worlds and planted effects through the real quantities and the real rule."""
    from suite.synthetic import synthetic_worlds

    for row in synthetic_worlds():
        detail = f"{row['verdicts']} verdicts in {row['worlds']} worlds; {row['low']} to {row['high']} are expected"
        yield f"judge: {row['name']}", bool(row["ok"]), detail


def task_checks(page: registry.Page) -> Iterator[Row]:
    """A task at the smoke tier: seeds are alive, trials repeat and do not depend on their company, mutants turn the
    headline.
    """
    from suite.calibration import most_on_normal_noise
    from suite.rehearse import mutated, rehearse

    task = importlib.import_module(page.module).TASK
    if "smoke" not in task.tiers:
        raise UserError(f"{page.slug} has no smoke tier to examine")
    only = (task.headline.id,)
    first, second = rehearse(page.module, only=only), rehearse(page.module, only=only)
    untimed = {e.name for e in task.experiments if not e.timed}
    yield (
        f"{page.slug}: the same seeds repeat bit for bit",
        _table(first, untimed) == _table(second, untimed),
        f"{len(first.trials)} trials",
    )
    fresh = rehearse(page.module, only=only, root="doctor/fresh")
    same = _table(first, untimed) == _table(fresh, untimed)
    stochastic = any(len(_seeds(first, e)) > 1 for e in untimed)
    yield (
        f"{page.slug}: other seeds give other numbers",
        not same or not stochastic,
        "exact, seeds do not enter" if not stochastic else "",
    )
    yield (
        f"{page.slug}: a trial does not depend on its company",
        _alone(page.module, only, first, untimed),
        "stacks of one against whole stacks",
    )
    yield from _itself(page, first, task.headline.id)
    honest = first.outcomes[task.headline.id]
    for mutant in task.mutants:
        with mutated(page.module, mutant):
            turned = rehearse(page.module, only=only).outcomes[task.headline.id]
        yield f"{page.slug}: mutant, {mutant.says}", turned == mutant.turns_to != honest, f"{honest} -> {turned}"
    for tier in TIERS[1:]:
        file = ledger.path(tier, page.name)
        if file.exists():
            book = ledger.read(file)
            if not book["calibration"] and (compared := comparisons(book)):
                detail = f"{', '.join(compared)}: no rate in the ledger, run the task again"
                yield f"{page.slug} at {tier}: false verdicts on its own noise", None, detail
            for claim, found in sorted(book["calibration"].items()):
                rate, alpha = found["false_verdict_rate"], found["alpha"]
                bound = most_on_normal_noise(found["seeds"], alpha, found["worlds"])
                yield (
                    f"{page.slug} {claim} at {tier}: false verdicts on its own noise",
                    rate <= bound,
                    f"{rate:.3f} of {found['worlds']}, at most {bound:.3f}",
                )


def comparisons(book: Mapping[str, Any]) -> list[str]:
    """The judged claims of a ledger that compare the means of arms, and whose noise can therefore be resampled."""
    means = {"paired_gap", "ratio"}
    kinds = {c["id"]: {clause["quantity"]["quantity"] for clause in c["clauses"]} for c in book["card"]["claims"]}
    judged = [row for row in ledger.rows(book) if row["outcome"] not in (None, "error") and not row["timed"]]
    return [row["id"] for row in judged if kinds[row["id"]] and kinds[row["id"]] <= means]


def _itself(page: registry.Page, found: Any, claim: str) -> Iterator[Row]:
    """The headline's first arm under two names on fresh seeds, where a trial is cheap."""
    from scipy.stats import binom

    from suite.against_itself import against_itself
    from suite.quantities import ALPHA

    same = against_itself(found, claim)
    if same is not None:
        most = int(binom.ppf(0.999, same.worlds, ALPHA))
        detail = f"{same.verdicts} of {same.worlds} worlds from {same.trials} fresh trials, at most {most}"
        yield f"{page.slug} {claim}: {same.arm} against itself", same.verdicts <= most, detail


def _alone(module: str, only: tuple[str, ...], whole: Any, untimed: set[str]) -> bool:
    from unittest import mock

    from suite import plan
    from suite.rehearse import rehearse

    units = plan.Plan.units

    def single(self: plan.Plan, trials: list[plan.Trial]) -> list[plan.Unit]:
        return [unit for trial in reversed(trials) for unit in units(self, [trial])]

    with mock.patch.object(plan.Plan, "units", single):
        return _table(rehearse(module, only=only), untimed) == _table(whole, untimed)


def _table(found: Any, experiments: set[str]) -> str:
    return json.dumps([t for t in found.trials if t["experiment"] in experiments], sort_keys=True)


def _seeds(found: Any, experiment: str) -> set[int]:
    return {t["seed"]["number"] for t in found.trials if t["experiment"] == experiment}
