"""Which code made a number: the hash of everything that a page's ``measure`` function can reach.

From the page itself only the definitions that ``measure`` names, directly or through others, are counted: rewording a
claim keeps its trials.  Of the suite's modules, each one that these definitions import counts whole, with its own
imports. The text is compared as a syntax tree without docstrings, so that comments, white space and documentation do
not matter.
"""

import ast
import functools
import hashlib
from pathlib import Path

from suite.home import ROOT

# The judge's and the record keeper's modules cannot change what a trial measures.  That holds for suite.files too,
# although checkpoints and kept networks pass through it: it writes and renames the bytes that it is given and never
# looks into them, and a network is read by torch.  Bytes that come back others would be a fault of resuming, which
# tests compare bit for bit, and no other measurement.  A clearer error message there must not cost every result.
_NOT_MEASURING = {
    "suite.claims",
    "suite.quantities",
    "suite.phrases",
    "suite.figures",
    "suite.errors",
    "suite.canonical",
    "suite.codehash",
    "suite.home",
    "suite.files",
}


def code_hash(measure: str, root: Path = ROOT) -> tuple[str, dict[str, str]]:
    """Hash of the code reached from "module:function", and the hash of each part by name.

    The parts are named "module" for whole modules and "module:definition" for pieces of a page.
    """
    parts: dict[str, str] = {}
    module, _, function = measure.partition(":")
    _from_page(module, {function.split(".")[0]}, root, parts)
    total = hashlib.sha256("\n".join(f"{name} {parts[name]}" for name in sorted(parts)).encode()).hexdigest()
    return total, parts


def measuring(piece: str) -> bool:
    """Whether a piece of code, a module or "module:definition", counts.

    >>> measuring("suite.stack"), measuring("suite.quantities.means"), measuring("tasks.some_page:measure")
    (True, False, True)
    """
    return not any(piece == m or piece.startswith(m + ".") for m in _NOT_MEASURING)


def module_file(module: str, root: Path = ROOT) -> Path | None:
    """The source file of a project module, or None when the project has none of that name."""
    base = root.joinpath(*module.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _from_page(module: str, wanted: set[str], root: Path, parts: dict[str, str]) -> None:
    path = module_file(module, root)
    if path is None:
        return
    tree = _tree(path, path.stat().st_mtime_ns)
    definitions, always = _top_level(tree)
    if not any(name.startswith(module + ":") for name in parts):  # the first visit of this page
        for node in always:
            wanted = wanted | _names(node)
            parts[f"{module}:line {ast.unparse(node)[:40]}"] = _hash(node)
    queue = [name for name in wanted if name in definitions and f"{module}:{name}" not in parts]
    while queue:
        name = queue.pop()
        if f"{module}:{name}" in parts:
            continue
        node = definitions[name]
        if isinstance(node, ast.Import | ast.ImportFrom):
            node = _just(node, name)  # the other names of the same import line are none of our business
        parts[f"{module}:{name}"] = _hash(node)  # before following it: the files of a page may import each other
        if isinstance(node, ast.Import | ast.ImportFrom):
            for target, names in _imports(node, module, path):
                _follow(target, names, root, parts)
        queue.extend(other for other in _names(node) if other in definitions)


def _follow(module: str, names: set[str], root: Path, parts: dict[str, str]) -> None:
    if module.split(".")[0] == "tasks":
        for name in names:
            if module_file(f"{module}.{name}", root):
                _whole(f"{module}.{name}", root, parts)
        _from_page(module, names, root, parts)
    elif module.split(".")[0] == "suite":
        _whole(module, root, parts)
        for name in names:
            _whole(f"{module}.{name}", root, parts)


def _whole(module: str, root: Path, parts: dict[str, str]) -> None:
    path = module_file(module, root)
    if path is None or module in parts or not measuring(module):
        return
    tree = _tree(path, path.stat().st_mtime_ns)
    parts[module] = _hash(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for target, names in _imports(node, module, path):
                _follow(target, names, root, parts)


def _just(node: ast.Import | ast.ImportFrom, name: str) -> ast.Import | ast.ImportFrom:
    aliases = [alias for alias in node.names if (alias.asname or alias.name.split(".")[0]) == name]
    return (
        ast.Import(names=aliases) if isinstance(node, ast.Import) else ast.ImportFrom(node.module, aliases, node.level)
    )


def _imports(node: ast.Import | ast.ImportFrom, module: str, path: Path) -> list[tuple[str, set[str]]]:
    if isinstance(node, ast.Import):
        return [(alias.name, set()) for alias in node.names]
    base = node.module or ""
    if node.level:  # relative: one dot is the package itself for an __init__, the parent otherwise
        package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
        package = package[: len(package) - node.level + 1]
        base = ".".join([*package, *([base] if base else [])])
    return [(base, {alias.name for alias in node.names})]


def _top_level(tree: ast.Module) -> tuple[dict[str, ast.stmt], list[ast.stmt]]:
    """Definitions by name, and the statements that act when the page is imported and so always count."""
    definitions: dict[str, ast.stmt] = {}
    always: list[ast.stmt] = []
    for node in tree.body:
        names: list[str] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.asname or alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.Assign):
            names = [n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name)]
            if not all(isinstance(t, ast.Name | ast.Tuple) for t in node.targets):
                always.append(node)  # TABLE["x"] = ... changes something that another name holds
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        else:
            always.append(node)
        for name in names:
            if name in definitions:
                always.append(definitions[name])  # bound twice: both bindings may matter
            definitions[name] = node
    return definitions, always


def _names(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


@functools.lru_cache(maxsize=512)
def _tree(path: Path, _modified: int) -> ast.Module:
    tree = ast.parse(path.read_text(encoding="utf8"), filename=str(path))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def _hash(node: ast.AST) -> str:
    return hashlib.sha256(ast.dump(node, include_attributes=False).encode()).hexdigest()
