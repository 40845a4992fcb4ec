#!/usr/bin/env python3
"""Files stay under 700 lines (tests 1,000), functions under 60. Also: no TODO marks, no banned type names."""

import pathlib
import re
import subprocess
import sys

FILE_LIMIT, TEST_FILE_LIMIT, FUNCTION_LIMIT = 700, 1000, 60
SOURCES = re.compile(r"\.(cc|h|c|ts|tsx|mjs|py|css)$")
TEST = re.compile(r"(_test\.|_fuzz\.|\.test\.|/tests?/|(^|/)test_|^e2e/|^bench/)")
BANNED_NAME = re.compile(r"^\s*(?:class|struct)\s+\w*(?:Manager|Helpers?|Utils?|Impl)\b")
MARK = re.compile(r"\b(TODO|FIXME|XXX)\b")
NOT_A_FUNCTION = re.compile(
    r"^\s*(inline constexpr|constexpr|static constexpr|namespace|class|struct|enum|union|extern|export (interface|type|const \w+ *(:[^=]*)?= *[\[{])|interface|type|#|//|\*|/\*)"
)
STRING = re.compile(r'"(?:\\.|[^"\\])*"')
PYTHON_FUNCTION = re.compile(r"^(\s*)(async )?def (\w+)")


def brace_functions(lines):
    """(first line, length) of every block that starts at indent 0 or 2 with '(' before '{' and ends at '}'."""
    lines = [STRING.sub('""', line) for line in lines]  # braces inside strings open nothing
    for indent in ("", "  "):
        start = None
        for number, line in enumerate(lines):
            if start is None:
                opens = line.startswith(indent) and len(line) > len(indent) and not line[len(indent)].isspace()
                if opens and "(" in line and not line.endswith("\\") and not NOT_A_FUNCTION.match(line) and "{" not in line.split("(")[0]:
                    start = number
            elif indent and line.startswith("}"):
                start = None  # the enclosing block ended: what looked like a member was a statement
            elif line.startswith(indent + "}"):
                yield start + 1, number - start + 1
                start = None
            if start is not None and line.rstrip().endswith(";") and number == start:
                start = None
            elif start is not None and line.rstrip().endswith((");", ";")) and not any("{" in l for l in lines[start : number + 1]):
                start = None
            elif start == number and line.count("{") and line.count("{") == line.count("}"):
                start = None


def python_functions(lines):
    for number, line in enumerate(lines):
        match = PYTHON_FUNCTION.match(line)
        if not match:
            continue
        indent, end = len(match.group(1)), number + 1
        while end < len(lines) and (not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent):
            end += 1
        while end > number and not lines[end - 1].strip():
            end -= 1
        yield number + 1, end - number


def complaints(root: pathlib.Path):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=root, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        path = root / name
        if not SOURCES.search(name) or not path.is_file() or "/gen/" in name:
            continue
        lines = path.read_text(errors="replace").splitlines()
        limit = TEST_FILE_LIMIT if TEST.search(name) else FILE_LIMIT
        if len(lines) > limit:
            yield f"{name}: {len(lines)} lines (limit {limit}): which room should part of it live in?"
        for number, line in enumerate(lines, 1):
            if MARK.search(line) and name != "tools/check_sizes.py":
                yield f"{name}:{number}: finish it, or open an issue"
            if BANNED_NAME.match(line):
                yield f"{name}:{number}: name what it is, not that it manages, helps or implements"
        if TEST.search(name) or name.endswith(".css"):
            continue
        functions = python_functions(lines) if name.endswith(".py") else brace_functions(lines)
        for number, length in functions:
            if length > FUNCTION_LIMIT:
                yield f"{name}:{number}: function of {length} lines (limit {FUNCTION_LIMIT})"


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent
    found = list(complaints(root))
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
