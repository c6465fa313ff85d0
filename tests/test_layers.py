"""Imports run one way, heavy packages have few homes, and the house rules hold.

Every import statement counts, those inside functions too: a late import makes a start faster, it turns no arrow.
"""

import ast
import itertools
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# What may import what: a module or package of suite/ imports only those that stand before it.
ORDER = """
    errors claims canonical home files learnt lifeline
    blocks seeds subnormals stack session learner fit rank parallel
    quantities phrases results looks clauses edges rows judge synthetic calibration
    figures drawing
    codehash trained registry store ledger
    hub declare worker preload executors
    plan rejudge pace stacks progress
    track report
    request run rehearse against_itself doctor
    summary show planned adopt diff new
    cli __main__
    bootstrap relock
""".split()  # noqa: SIM905 - rows are easier to read than a list
# One arrow up: the declarations of figures are the door to what draws them, which loads matplotlib only then.
DOORS = {("figures", "drawing")}

# What these may import of suite/, whatever stands before them.
ONLY = {
    "claims": set(),
    "blocks": set(),
    "quantities": {"claims"},
    "report": {
        "errors",
        "claims",
        "canonical",
        "home",
        "files",
        "quantities",
        "results",
        "figures",
        "drawing",
        "ledger",
    },
    "bootstrap": set(),
    "relock": {"bootstrap"},
}
# Files of one page that another may import, since they train the networks that both examine.
SHARED = {"tasks.length_extrapolation.networks"}
PAGES_USE = {"claims", "quantities", "phrases", "seeds", "stack", "fit", "parallel", "trained", "figures", "blocks"}

# Where a slow package may be imported when a module is loaded; elsewhere it is imported by the function that needs it.
HOMES = {
    "torch": {
        "blocks",
        "subnormals",
        "stack",
        "session",
        "learner",
        "fit",
        "rank",
        "parallel",
        "trained",
        "preload",
        "tasks",
    },
    "lightning": {"learner", "rank", "preload"},
    "mlflow": {"track"},
    "ray": set(),
    "datasets": set(),
    "transformers": set(),
    "matplotlib": {"drawing"},
    "scipy": {"drawing", "tasks"},
    "typst": {"report"},
}
# Loading these must not load torch, Lightning, MLflow or Ray, not even through others.
LIGHT = (
    "cli",
    "show",
    "summary",
    "registry",
    "run",
    "plan",
    "worker",
    "executors",
    "declare",
    "track",
    "report",
    "judge",
)


@dataclass(frozen=True)
class Module:
    name: str  # suite.claims, tasks.lion_vs_adamw
    path: Path
    tree: ast.Module

    @property
    def word(self) -> str:
        """The module or package right below suite/, or "tasks"."""
        parts = self.name.split(".")
        return parts[0] if parts[0] != "suite" else parts[1] if len(parts) > 1 else "suite"

    def imports(self, late: bool = True) -> Iterator[str]:
        """Full names of all that is imported; without ``late`` only what loading the module imports."""
        pending: list[ast.AST] = [self.tree]
        while pending:
            node = pending.pop()
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}, line {node.lineno}: imports are absolute"
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                pending += node.orelse
            elif late or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                pending += ast.iter_child_nodes(node)


def load(folder: str) -> dict[str, Module]:
    found = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = Module(name, path, ast.parse(path.read_text(encoding="utf8")))
    return found


SUITE, TASKS = load("suite"), load("tasks")
EVERY = {**SUITE, **TASKS}
WORDS = {module.word for module in SUITE.values()} - {"suite"}


def words(name: str) -> str | None:
    """The word of suite/ that an imported name belongs to, or None."""
    parts = name.split(".")
    return parts[1] if parts[0] == "suite" and len(parts) > 1 and parts[1] in WORDS else None


def test_every_module_has_its_place() -> None:
    assert not WORDS - set(ORDER), f"give {sorted(WORDS - set(ORDER))} a place in ORDER"
    assert len(ORDER) == len(set(ORDER))


@pytest.mark.parametrize("name", sorted(SUITE))
def test_arrows_of_the_suite(name: str) -> None:
    module = SUITE[name]
    for imported in module.imports():
        assert imported.split(".")[0] != "tasks", f"{name} imports {imported}: pages are loaded by name, in a worker"
        word = words(imported)
        if word is None or word == module.word:
            continue
        down = ORDER.index(word) < ORDER.index(module.word)
        assert down or (module.word, word) in DOORS, f"{name} imports {imported}: that arrow points up"
        allowed = ONLY.get(module.word)
        assert allowed is None or word in allowed, (
            f"{name} imports {imported}: {module.word} uses {allowed or 'nothing'}"
        )


@pytest.mark.parametrize("name", sorted(TASKS))
def test_arrows_of_the_pages(name: str) -> None:
    own = ".".join(name.split(".")[:2])
    for imported in TASKS[name].imports():
        if imported.split(".")[0] == "tasks":
            theirs = not imported.startswith(own + ".") and imported.rpartition(".")[0] not in SHARED
            assert not theirs, f"{name} imports {imported}: what two pages use moves to blocks/"
        elif imported.split(".")[0] == "suite":
            word = imported.split(".")[1]
            assert word in PAGES_USE, f"{name} imports {imported}: pages use {', '.join(sorted(PAGES_USE))}"


def test_the_words_need_the_standard_library_only() -> None:
    for name in ("suite.claims", "suite.errors", "suite.bootstrap"):
        foreign = {imported.split(".")[0] for imported in SUITE[name].imports()} - sys.stdlib_module_names
        assert not foreign, f"{name} imports {foreign}"


def test_blocks_need_torch_and_little_else() -> None:
    allowed = {*sys.stdlib_module_names, "torch", "numpy", "sklearn", "datasets", "suite"}
    for module in SUITE.values():
        if module.word == "blocks":
            foreign = {imported.split(".")[0] for imported in module.imports()} - allowed
            assert not foreign, f"{module.name} imports {foreign}"


@pytest.mark.parametrize("package", sorted(HOMES))
def test_slow_packages_stay_at_home(package: str) -> None:
    for module in EVERY.values():
        if package in {imported.split(".")[0] for imported in module.imports(late=False)}:
            assert module.word in HOMES[package], (
                f"{module.name} loads {package}; import it in the function that needs it"
            )


@pytest.mark.parametrize("word", LIGHT)
def test_light_modules_stay_light(word: str) -> None:
    reached, pending = set(), [f"suite.{word}"]
    while pending:
        name = pending.pop()
        if name in reached:
            continue
        reached.add(name)
        if name not in SUITE:
            assert name.split(".")[0] not in ("torch", "lightning", "mlflow", "ray"), (
                f"loading suite.{word} loads {name}"
            )
            continue
        for imported in SUITE[name].imports(late=False):
            parents = itertools.accumulate(imported.split("."), lambda a, b: f"{a}.{b}")
            pending += [p for p in parents if p in SUITE] or [imported]


def test_only_seeds_seed() -> None:
    """Global generators are seeded nowhere; pages and blocks draw from the seed's streams alone."""
    for module in EVERY.values():
        banned = {"manual_seed", "manual_seed_all", "seed_everything", "seed"}
        if module.word in ("tasks", "blocks"):
            banned |= {"default_rng", "RandomState", "Generator"}
        for node in ast.walk(module.tree):
            called = node.func if isinstance(node, ast.Call) else None
            name = (
                called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""
            )
            if name in banned:
                assert module.name == "suite.seeds", f"{module.name}, line {node.lineno}: draw from seed.stream(name)"


def test_pages_take_no_keyword_sinks() -> None:
    for module in TASKS.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                assert node.args.kwarg is None, (
                    f"{module.name}, line {node.lineno}: name every setting, no **{node.args.kwarg.arg}"
                )


def test_names_say_what_is_inside() -> None:
    banned = {"util", "utils", "helper", "helpers", "common", "misc"}
    for path in itertools.chain(*((ROOT / folder).rglob("*.py") for folder in ("suite", "tasks", "tests"))):
        parts = {word for part in path.relative_to(ROOT).with_suffix("").parts for word in part.split("_")}
        assert not parts & banned, f"{path.relative_to(ROOT)} says nothing about its content"


def test_nothing_is_left_to_do_in_comments() -> None:
    wanted = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
    for folder, kind in itertools.product(("suite", "tasks", "tests"), ("*.py", "*.typ")):
        for path in (ROOT / folder).rglob(kind):
            found = wanted.search(path.read_text(encoding="utf8"))
            assert found is None, f"{path.relative_to(ROOT)} holds {found and found.group()}: do it, or open an issue"
