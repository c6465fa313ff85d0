"""The figures of a report: what the page declares, and the tuning curves that it did not."""

from collections.abc import Mapping
from typing import Any

from suite import figures as declared
from suite.drawing import NotDrawn, draw
from suite.drawing.grids import table_rows
from suite.report.numbers import number, prose


def figures(ledger: Mapping[str, Any]) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """The page's figures, and a tuning curve for every tuned setting that the page has not drawn itself."""
    wanted = [declared.from_json(item) for item in ledger["card"]["figures"]]
    shown = {(f.experiment, f.over) for f in wanted if isinstance(f, declared.TuningCurve)}
    only = len(ledger["card"]["experiments"]) == 1
    for experiment in ledger["card"]["experiments"]:
        settings = {
            name: None for arm in experiment["arms"] for name, values in arm["tuned"].items() if len(values) > 2
        }
        has_table = any(entry["experiment"] == experiment["name"] and entry["tuning"] for entry in ledger["arms"])
        for setting in settings if has_table else ():
            if (experiment["name"], setting) not in shown and not (only and ("", setting) in shown):
                wanted.append(
                    declared.TuningCurve(
                        title=f"Tuning of {setting}, {experiment['name']}",
                        caption=f"{experiment['tune_on']} against {setting}, the other tuned settings at their best; "
                        "every dot is a tuning seed, a ring marks what was chosen.",
                        experiment=experiment["name"],
                        over=setting,
                        x_axis=declared.Axis(setting, log=_positive(experiment, setting)),
                        y_axis=declared.Axis(experiment["tune_on"]),
                    )
                )
    found: list[dict[str, Any]] = []
    files: dict[str, bytes] = {}
    for index, figure in enumerate(wanted, 1):
        entry: dict[str, Any] = {
            "number": number(index),
            "title": prose(figure.title),
            "caption": prose(figure.caption),
            "file": "",
            "missing": "",
            "wide": False,
            "tall": False,
            "table": None,
        }
        entry["alt"] = figure.alt or f"{figure.title}. {figure.caption}".strip()
        try:
            if isinstance(figure, declared.Table):
                heads, body = table_rows(figure, ledger)
                entry["table"] = {
                    "heads": [prose(h) for h in heads],
                    "rows": [
                        [prose(c) if isinstance(c, str) else number(c, figure.digits) for c in line] for line in body
                    ],
                }
                entry["wide"] = len(heads) > 5
            else:
                entry["file"] = f"figure-{index}.svg"
                files[entry["file"]] = draw(figure, ledger)
                width, height = _size(files[entry["file"]])
                entry["wide"], entry["tall"] = width > 360, height > 240
        except NotDrawn as error:
            entry["missing"] = prose(str(error))
            entry["file"] = ""
        found.append(entry)
    return found, files


def _positive(experiment: Mapping[str, Any], setting: str) -> bool:
    return all(v > 0 for arm in experiment["arms"] for v in arm["tuned"].get(setting, ()))


def _size(svg: bytes) -> tuple[float, float]:
    """Width and height of an SVG of matplotlib's, in points."""
    head = svg[:2000].decode()
    return float(head.split('width="', 1)[1].split("pt", 1)[0]), float(head.split('height="', 1)[1].split("pt", 1)[0])
