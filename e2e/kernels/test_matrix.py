"""The table in docs/kernels.md: what it makes of results, and that it stands where it is written to."""

import json
import os

import matrix

DOCUMENT = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "kernels.md")


def seen(version, emulated, *others):
    return [{"kind": "kernel", "release": f"{version}-1", "version": version, "debian": emulated, "emulated": emulated}, *others]


def result_of(name, result, reason=""):
    return {"kind": "test", "program": "some_test", "name": name, "result": result, "reason": reason}


def written(folder, *kernels):
    for number, kernel in enumerate(kernels):
        (folder / f"{number}.json").write_text(json.dumps(kernel))
    (folder / "plan.json").write_text("{}")
    document = folder / "kernels.md"
    document.write_text(f"before\n{matrix.BEGIN}\nold\n{matrix.END}\nafter\n")
    matrix.write(str(folder), str(document))
    return document.read_text()


def test_each_kernel_is_a_column_in_the_order_of_versions(tmp_path):
    probe = {"kind": "probe", "name": "requests", "state": "failed", "reason": ""}
    text = written(tmp_path, seen("6.12.1", False, {**probe, "state": "on"}), seen("6.1.9", True, probe))
    assert "| | 6.1.9, Debian, emulated | 6.12.1 |" in text
    assert "| probe `requests` | failed | on |" in text
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text


def test_nothing_that_did_not_pass_is_left_out(tmp_path):
    text = written(tmp_path, seen("6.1.9", True, result_of("A.a", "passed"), result_of("A.b", "failed", "trace\n1 is not 2"),
                                  result_of("A.c", "skipped", "file:1\nSKIPPED: needs Linux 6.16"),
                                  result_of("A.d", "skipped", "file:2\nSKIPPED: needs Linux 6.16")))
    assert "| `some_test` | 1 passed, 1 failed, 2 skipped |" in text
    assert "* 6.1.9, Debian, emulated, failed: `A.b`: 1 is not 2" in text
    assert "* 6.1.9, Debian, emulated, skipped: `A.c` and 1 more: needs Linux 6.16" in text


def test_a_kernel_that_did_not_reach_the_end_is_said(tmp_path):
    end = {"kind": "end"}
    assert "stopped" not in written(tmp_path, seen("6.1.9", True, end))
    text = written(tmp_path, seen("6.1.9", True, result_of("A.a", "passed")), seen("6.12.1", False, end))
    assert text.count("stopped") == 1 and "* 6.1.9, Debian, emulated: **stopped before the end**" in text


def test_wrong_numbers_of_the_program_are_said(tmp_path):
    assert "requests | **wrong** |" in written(tmp_path, seen("6.1.9", True, {"kind": "flow", "exact": False}))
    text = written(tmp_path, seen("6.1.9", True, {"kind": "flow", "exact": False, "error": "did not start"}))
    assert "requests | **failed** |" in text


def test_what_was_not_seen_is_a_dash(tmp_path):
    text = written(tmp_path, seen("6.1.9", True), seen("6.2.0", True, {"kind": "flow", "exact": True}))
    assert "requests | - | exact |" in text


def test_the_document_has_the_marks():
    with open(DOCUMENT, encoding="utf-8") as file:
        text = file.read()
    assert text.count(matrix.BEGIN) == 1 and text.count(matrix.END) == 1
    assert text.index(matrix.BEGIN) < text.index(matrix.END)
