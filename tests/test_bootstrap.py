"""The environment is built whole or not at all, is never somebody else's, and never brings CUDA by surprise."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from suite import bootstrap
from suite.bootstrap import BUILDING, STAMP, Stop


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with tiny locks, in which ``pip`` only takes notes."""
    lock, torch = tmp_path / "requirements.lock", tmp_path / "requirements-torch.lock"
    lock.write_text(
        "numpy==1.0 \\\n    --hash=sha256:aa\npip==30.0 \\\n    --hash=sha256:bb \\\n    --hash=sha256:cc\n"
    )
    torch.write_text("# why\ntorch==2.0.0\n")
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    for name, path in (("ROOT", tmp_path), ("LOCK", lock), ("TORCH", torch)):
        monkeypatch.setattr(bootstrap, name, path)
    monkeypatch.setattr(bootstrap.shutil, "which", lambda _: None)
    run = subprocess.run

    def without_pip(command: list[str], **options: Any) -> Any:
        return run([*command, "--without-pip"] if "venv" in command else command, **options)

    monkeypatch.setattr(bootstrap.subprocess, "run", without_pip)
    return tmp_path


class Pip:
    """Stands in for ``bootstrap.pip``; fails at the call number ``breaks_at``."""

    def __init__(self, plans: tuple[str, ...] = ("torch", "sympy"), breaks_at: int | None = None) -> None:
        self.plans, self.breaks_at, self.calls = plans, breaks_at, []

    def __call__(self, venv: Path, *words: str) -> None:
        if len(self.calls) == self.breaks_at:
            raise Stop("pip broke")
        self.calls.append(" ".join(w for w in words[1:] if not w.startswith("/")))
        if "--report" in words:
            found = {"install": [{"metadata": {"name": name}} for name in self.plans]}
            Path(words[words.index("--report") + 1]).write_text(json.dumps(found))
        if "-r" in words and words[-1].endswith("pip.txt"):
            assert "bb" in Path(words[-1]).read_text()
            assert "numpy" not in Path(words[-1]).read_text()


def build(project: Path, monkeypatch: pytest.MonkeyPatch, pip: Pip, cuda: bool = False) -> Pip:
    monkeypatch.setattr(bootstrap, "pip", pip)
    bootstrap.build(project / ".venv", cuda)
    return pip


def test_a_fresh_environment_is_built_in_order_and_stamped(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build(project, monkeypatch, Pip())
    assert first.calls == [
        "--no-deps --require-hashes -r",  # pip itself
        "--dry-run --ignore-installed --report -r",  # which torch?
        "--no-deps --require-hashes -r",  # the lock
        "-r",  # torch
        "--no-deps --no-build-isolation -e",  # the project
    ]
    assert (project / ".venv" / STAMP).exists()
    assert not (project / ".venv" / BUILDING).exists()
    assert build(project, monkeypatch, Pip()).calls == []


@pytest.mark.parametrize("breaks_at", range(5))
def test_a_half_built_environment_is_built_again(
    project: Path, monkeypatch: pytest.MonkeyPatch, breaks_at: int
) -> None:
    with pytest.raises(Stop, match="pip broke"):
        build(project, monkeypatch, Pip(breaks_at=breaks_at))
    (project / ".venv" / "left-over").touch()
    assert bootstrap.stamp(project / ".venv") is None
    assert len(build(project, monkeypatch, Pip()).calls) == 5
    assert not (project / ".venv" / "left-over").exists()


def test_a_changed_lock_builds_anew_and_changed_metadata_only_reinstalls(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(project, monkeypatch, Pip())
    (project / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert build(project, monkeypatch, Pip()).calls == ["--no-deps --no-build-isolation -e"]
    (project / "requirements-torch.lock").write_text("torch==2.1.0\n")
    assert len(build(project, monkeypatch, Pip()).calls) == 5


def test_cuda_is_refused_without_a_gpu_and_allowed_on_request(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = ("torch", "nvidia-cublas", "triton")
    with pytest.raises(Stop, match=r"CUDA build of torch==2\.0\.0 \(2 more packages.*CUDA=1"):
        build(project, monkeypatch, Pip(plans=cuda))
    assert "--dry-run" not in " ".join(build(project, monkeypatch, Pip(plans=cuda), cuda=True).calls)
    (project / "requirements-torch.lock").write_text("torch==2.1.0\n")
    monkeypatch.setattr(bootstrap.shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    assert "--dry-run" not in " ".join(build(project, monkeypatch, Pip(plans=cuda)).calls)


def test_an_environment_made_by_hand_is_taken_when_it_matches_and_never_deleted(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(project / ".venv")], check=True)
    with pytest.raises(Stop, match=r"not made by make.*numpy absent \(locked: 1\.0\).*VENV="):
        build(project, monkeypatch, Pip())
    assert (project / ".venv" / "pyvenv.cfg").exists()
    packages = next((project / ".venv").glob("lib/*/site-packages"))
    for name, version in (("numpy", "1.0"), ("torch", "2.0.0+cpu")):
        (packages / f"{name}-{version}.dist-info").mkdir()
        (packages / f"{name}-{version}.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    assert build(project, monkeypatch, Pip()).calls == ["--no-deps --no-build-isolation -e"]


def test_bad_surroundings_are_one_line_and_exit_code_2(tmp_path: Path) -> None:
    script = Path(bootstrap.__file__)
    (tmp_path / "file").touch()
    done = subprocess.run(
        [sys.executable, "-I", str(script), str(tmp_path / "file")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("make: ")


@pytest.mark.parametrize("version", [(3, 10), (3, 14)])
def test_an_unsupported_python_is_named(version: tuple[int, int]) -> None:
    with pytest.raises(Stop, match=r"3\.1[04] is not supported"):
        bootstrap.check_python(version)


def test_what_runs_before_the_environment_needs_nothing_but_the_standard_library() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", bootstrap.__file__, "--help"], capture_output=True, text=True, check=True
    )
    assert "--cuda" in done.stdout
