"""What `./dev kernels` keeps of what it saw."""

import json

import run


def test_what_was_left_out_stays_as_it_was_seen_last(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "FOLDER", str(tmp_path))
    kernel, end = {"kind": "kernel"}, {"kind": "end"}
    flow = {"kind": "flow", "exact": True}
    old = {"kind": "test", "program": "a_test", "name": "old", "result": "passed"}
    other = {"kind": "test", "program": "b_test", "name": "other", "result": "passed"}
    new = {"kind": "test", "program": "a_test", "name": "new", "result": "failed"}
    run.keep("6.1", [kernel, flow, old, other, end])
    run.keep("6.1", [kernel, new, end])
    assert json.loads((tmp_path / "6.1.json").read_text()) == [kernel, new, end, flow, other]


def test_a_program_that_vanished_half_way_is_no_success(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "FOLDER", str(tmp_path))
    lines = tmp_path / "lines"
    lines.write_text('{"kind": "kernel"}\n')
    options = type("Options", (), {"filter": None})
    assert not run.judge("6.1", str(lines), options)
    lines.write_text('{"kind": "kernel"}\n{"kind": "end"}\n')
    assert run.judge("6.1", str(lines), options)
