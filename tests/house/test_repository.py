"""Rules of the repository that no type checker knows."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "resyncctl"
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("name", ["runtime", "development"])
def test_pinned_requirements_are_hashed_and_name_no_host(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    pins = re.findall(r"^([a-zA-Z0-9_.\-]+)==", text, flags=re.MULTILINE)
    assert len(pins) > 20
    assert text.count("--hash=sha256:") >= len(pins)
    for word in ("://", "index-url", "find-links", "trusted-host", "file:"):
        assert word not in text


def test_required_libraries_are_pinned() -> None:
    text = (ROOT / "requirements" / "development.txt").read_text()
    for name in ("typer", "rich", "ccxt", "questionary", "pydantic-settings", "pytest", "vcrpy"):
        assert re.search(rf"^{name}==", text, flags=re.MULTILINE), name


def test_declared_dependencies_are_the_pinned_ones() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split(r"[<>=]", entry)[0] for entry in declared}
    wanted = {
        re.split(r"[<>=]", line)[0]
        for line in (ROOT / "requirements" / "runtime.in").read_text().splitlines()
        if line and not line.startswith("#")
    }
    assert names == wanted


def test_no_module_outgrows_a_reading() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in modules()
        if (count := len(path.read_text().splitlines())) > FILE_LINES_MAX
    }
    assert not long


def _first_line(path: Path, node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """A verb's signature is a declaration of its options; everywhere else it counts too."""
    return node.body[0].lineno if path.is_relative_to(SOURCE / "cli") else node.lineno


def test_no_function_outgrows_a_screen() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - _first_line(path, node) > FUNCTION_LINES_MAX
    ]
    assert not long


def test_exceptions_are_caught_broadly_in_one_place_of_the_command_line() -> None:
    broad = [
        str(path.relative_to(SOURCE))
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"})
        )
        and path.is_relative_to(SOURCE / "cli")
    ]
    assert set(broad) <= {"cli/app.py"}


def test_core_ports_and_procedures_never_patch_the_world() -> None:
    patches = [
        str(path.relative_to(ROOT))
        for folder in ("core", "procedures", "journeys")
        for path in (ROOT / "tests" / folder).rglob("*.py")
        if re.search(r"\b(mock|monkeypatch|patch)\b", path.read_text())
    ]
    assert not patches


def test_nothing_committed_speaks_of_a_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    words = re.compile(r"(?<![\w/])/(?:root|work)/\w|\.pyenv/")
    offenders = [
        name
        for name in listed.stdout.splitlines()
        if (path := ROOT / name).suffix in {".py", ".md", ".toml", ".sh", ".yaml", ".yml", ""}
        and path.is_file()
        and path != Path(__file__)
        and words.search(path.read_text(errors="ignore"))
    ]
    assert not offenders


def test_every_relative_link_in_the_documents_leads_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)} -> {target}"
        for page in pages
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert not broken


@pytest.mark.slow
@pytest.mark.process
def test_the_wheel_carries_runbooks_and_schemas(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "resyncctl/runbooks/incident/lost-contact.md" in names
    assert "resyncctl/__main__.py" in names
    assert any(name.startswith("resyncctl/schemas/") for name in names)
