"""The table of docs/kernels.md that says what was seen on which kernel, made from the results of `./dev kernels`."""

import glob
import json
import os

BEGIN = "<!-- begin: written by ./dev kernels --write -->"
END = "<!-- end -->"
STATES = ("passed", "failed", "skipped")


def label(kernel):
    return f"{kernel['version']}{', Debian' if kernel['debian'] else ''}{', emulated' if kernel['emulated'] else ''}"


def order(seen):
    return [int(number) for number in seen[0]["version"].split(".")]


def cells(seen):
    """What one kernel's column holds, by row."""
    column = {}
    for one in seen:
        if one["kind"] == "flow":
            column["`weir up`: bytes of three requests"] = (
                "exact" if one["exact"] else "**failed**" if "error" in one else "**wrong**")
        elif one["kind"] == "probe" and " " not in one["name"]:  # with a space: of one device of one machine
            column[f"probe `{one['name']}`"] = one["state"]
        elif one["kind"] == "test":
            counts = column.setdefault(f"`{one['program']}`", dict.fromkeys(STATES, 0))
            counts[one["result"]] += 1
    return {row: cell if isinstance(cell, str) else counted(cell) for row, cell in column.items()}


def counted(counts):
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state] or state == "passed")


def skips(seen):
    """Reasons of skipped and failed tests, once each, with how many tests say so."""
    found = {}
    for one in seen:
        if one["kind"] == "test" and one["result"] != "passed":
            reason = one["reason"].strip().splitlines()[-1] if one["reason"].strip() else "no reason given"
            found.setdefault((one["result"], reason.removeprefix("SKIPPED: ")), []).append(one["name"])
    for (result, reason), names in found.items():
        which = f"`{names[0]}`" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        yield f"* {label(seen[0])}, {result}: {which}: {reason[:300].replace('|', '/')}"
    if all(one["kind"] != "end" for one in seen):
        yield f"* {label(seen[0])}: **stopped before the end**"


def table(kernels):
    columns = [cells(seen) for seen in kernels]
    rows = list(dict.fromkeys(row for column in columns for row in column))
    lines = ["| | " + " | ".join(label(seen[0]) for seen in kernels) + " |", "|---" * (len(kernels) + 1) + "|"]
    lines += [f"| {row} | " + " | ".join(column.get(row, "-") for column in columns) + " |" for row in rows]
    return "\n".join([*lines, "", *(line for seen in kernels for line in skips(seen))]).rstrip()


def write(folder, document):
    """Replaces what stands between the marks with what the results in `folder` say."""
    kernels = []
    for path in glob.glob(os.path.join(folder, "*.json")):
        if os.path.basename(path) != "plan.json":
            with open(path, encoding="utf-8") as file:
                kernels.append(json.load(file))
    kernels = sorted((seen for seen in kernels if seen and seen[0]["kind"] == "kernel"), key=order)
    with open(document, encoding="utf-8") as file:
        before, _, rest = file.read().partition(BEGIN)
    _, _, after = rest.partition(END)
    with open(document, "w", encoding="utf-8") as file:
        file.write(f"{before}{BEGIN}\n{table(kernels)}\n{END}{after}")
