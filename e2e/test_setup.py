"""./dev COMMAND works where no other command ran before: it installs every program that the command's scripts call."""

import ast
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEV = (ROOT / "dev").read_text()


def packages_of(command):
    """Debian packages that ./dev COMMAND asks for, by the text of ./dev itself."""
    body = re.search(rf"^{command}\(\) {{\n(.*?)^}}", DEV, re.S | re.M).group(1)
    kind = re.search(r"^\s*setup (\w+)", body, re.M).group(1)
    lists = re.search(rf"^    {kind}\) install_packages (.*?);", DEV, re.M).group(1)
    names = []
    for name in re.findall(r"\$\{(\w+)\[@\]\}", lists):
        names += re.search(rf"^{name}=\((.*?)\)", DEV, re.S | re.M).group(1).split()
    return set(names)


def scripts_of(script):
    """The script and everything of this repository it imports."""
    found, waiting = set(), [script]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module] if isinstance(node, ast.ImportFrom) else []
            waiting += [where for name in filter(None, names)
                        for where in (path.parent / f"{name}.py", ROOT / "e2e" / f"{name.replace('.', '/')}.py") if where.exists()]
    return found


def programs():
    """Name of each program that a package in the lists of ./dev brings: that package."""
    found = {}
    for package in sorted(set(" ".join(re.findall(r"^\w+_packages=\((.*?)\)", DEV, re.S | re.M)).split())):
        files = subprocess.run(["dpkg-query", "-L", package], capture_output=True, text=True, check=False).stdout.splitlines()
        found.update({path.rsplit("/", 1)[1]: package for path in files if re.match(r"(/usr)?/s?bin/[^/]+$", path)})
    return found


def programs_of(script):
    """Programs that the script's words name, and their packages."""
    words = {node.value for path in scripts_of(script) for node in ast.walk(ast.parse(path.read_text()))
             if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {name: package for name, package in programs().items() if name in words}


@pytest.mark.parametrize(("command", "script"), [("demo", "e2e/demo/__main__.py"), ("bench", "bench/run.py")])
def test_a_command_installs_what_its_scripts_call(command, script):
    called, installed = programs_of(ROOT / script), packages_of(command)
    assert {"ip", "nft"} <= set(called), "this test sees the programs"
    assert {name: package for name, package in called.items() if package not in installed} == {}
