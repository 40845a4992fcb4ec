"""How often detectors are right: over all recipes and all recordings, by weir-bench-detectors."""

import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DETECTORS = os.path.join(ROOT, "build", os.environ.get("WEIR_PRESET", "release"), "bin", "weir-bench-detectors")
NUMBERS = ("should_be_found", "found", "recall", "high", "precision_at_high", "all", "precision", "wrong_culprit_at_high")


def matrix(_options):
    """The table of docs/detectors/confusion.md to stderr; a line for each detector."""
    done = subprocess.run([DETECTORS, "matrix"], stdout=subprocess.PIPE, text=True, check=True)
    print(done.stdout, file=sys.stderr)
    for row in done.stdout.splitlines():
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if len(cells) == len(NUMBERS) + 1 and cells[1].isdigit():
            yield {"bench": "findings", "what": cells[0], **{name: float(cell) for name, cell in zip(NUMBERS, cells[1:])}}
