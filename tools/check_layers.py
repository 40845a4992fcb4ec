#!/usr/bin/env python3
"""Includes go down. Reads every #include "room/..." under src/ and fails when it climbs a floor or crosses to a
room of its own floor that the table does not name. The same table is drawn in docs/architecture.md."""

import pathlib
import re
import sys

# room -> (floor, rooms of the same floor it may see, lower rooms it must not see)
ROOMS = {
    "base": (1, set(), set()),
    "model": (2, set(), set()),
    "net": (2, {"model"}, set()),  # for addresses
    "wire": (3, set(), {"net"}),
    "agent": (4, set(), set()),
    "apps": (4, set(), {"wire"}),
    "kube": (4, set(), {"wire"}),
    "store": (4, set(), {"net", "wire"}),
    "server": (5, {"diagnose"}, {"agent", "apps", "kube", "net"}),
    "diagnose": (5, set(), {"agent", "apps", "kube", "store", "net", "wire"}),
    "telemetry": (6, set(), {"agent", "apps", "diagnose", "kube", "store", "wire"}),
    "api": (6, set(), {"agent"}),
    "cli": (6, set(), {"agent", "apps", "kube", "store", "server", "wire"}),
    "cmd": (7, set(), set()),
}
BPF_READERS = {"agent"}  # the only room that may include bpf/abi.h and the skeleton
# Protobuf output, "weir/v1/batch.pb.h" -> the rooms that may include it
GENERATED = {"weir": {"wire"}, "foreign": {"telemetry"}}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def complaints(root: pathlib.Path):
    for path in sorted((root / "src").rglob("*")):
        if path.suffix not in {".cc", ".h"}:
            continue
        room = path.relative_to(root / "src").parts[0]
        if room not in ROOMS:
            yield f"{path}: room '{room}' is not in the table of tools/check_layers.py"
            continue
        floor, siblings, forbidden = ROOMS[room]
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            target = match.group(1).split("/")[0]
            where = f"{path.relative_to(root)}:{number}"
            if target == "bpf" or match.group(1).endswith(".skel.h"):
                if room not in BPF_READERS:
                    yield f"{where}: only {sorted(BPF_READERS)} may include kernel-side headers"
            elif target in GENERATED:
                if room not in GENERATED[target]:
                    yield f"{where}: only {sorted(GENERATED[target])} may include generated protobuf headers of '{target}'"
            elif target not in ROOMS:
                yield f'{where}: "{match.group(1)}" is not a path from src/ (use the full path, or <> for libraries)'
            elif target != room:
                target_floor = ROOMS[target][0]
                if target_floor > floor or (target_floor == floor and target not in siblings):
                    yield f"{where}: '{room}' (floor {floor}) may not include '{target}' (floor {target_floor})"
                elif target in forbidden:
                    yield f"{where}: '{room}' must not know '{target}'"


def main() -> int:
    root = pathlib.Path(__file__).resolve().parent.parent
    found = list(complaints(root))
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
