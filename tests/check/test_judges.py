"""The judges themselves: what run-all and run-unit count, and what they end."""
import importlib.machinery
import importlib.util
import pathlib
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).parent
BUSY = "import time\nend = time.process_time() + 60\nwhile time.process_time() < end: pass"


def load(name):
    loader = importlib.machinery.SourceFileLoader(name.replace("-", "_"), str(HERE / name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


@pytest.fixture
def judge(monkeypatch):
    run_all = load("run-all")
    monkeypatch.setattr(run_all, "LOOK_S", 0.1)
    monkeypatch.setattr(run_all, "CLEAN_UP_S", 0.5)
    return run_all


def step(judge, program, seconds=30):
    said = []
    return judge.run(judge.Step("a step", seconds, [sys.executable, "-c", program]), {}, said.append), "".join(said)


def test_a_closing_line_counts_and_a_step_without_one_is_one(judge):
    result, said = step(judge, "print('3 passed, 2 failed, 1 skipped'); raise SystemExit(1)")
    assert result[:3] == (3, 2, 1) and "3 passed" in said
    assert step(judge, "print('fine')")[0][:4] == (1, 0, 0, "")
    assert step(judge, "raise SystemExit(3)")[0][:4] == (0, 1, 0, "exit status 3")
    assert step(judge, "print('7 passed, 0 failed, 0 skipped'); raise SystemExit(1)")[0][:3] == (7, 1, 0)


def test_a_step_ends_by_processor_time_and_not_by_the_clock(judge):
    result, _ = step(judge, BUSY, seconds=1)
    assert result.failed == 1 and "1 s of processor time" in result.why
    waiting, _ = step(judge, "import time; time.sleep(3)", seconds=1)
    assert (waiting.passed, waiting.failed) == (1, 0) and waiting.used < 1


def test_what_a_step_starts_counts_for_it(judge):
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}])"
    result, _ = step(judge, program, seconds=1)
    assert result.failed == 1 and "processor time" in result.why


def test_what_a_step_leaves_running_ends_with_it(judge):
    program = ("import subprocess, sys\n"
               "left = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], stdout=subprocess.DEVNULL, "
               "stderr=subprocess.DEVNULL)\nprint(left.pid)")
    result, said = step(judge, program)
    assert result.passed == 1
    stat = pathlib.Path(f"/proc/{int(said)}/stat")
    end = time.monotonic() + 30
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_step_that_stands_still_ends(judge, monkeypatch):
    monkeypatch.setattr(judge, "STILL_S", 1)
    result, _ = step(judge, "import time; time.sleep(60)")
    assert result.failed == 1 and "stood still" in result.why
    result, _ = step(judge, "import time\nfor _ in range(8): print('.', flush=True); time.sleep(0.3)")
    assert result.failed == 0


def test_a_step_that_prints_for_ever_ends_by_the_clock(judge, monkeypatch):
    monkeypatch.setattr(judge, "STILL_S", 1)
    result, _ = step(judge, "import time\nwhile True: print('.', flush=True); time.sleep(0.1)", seconds=1)
    assert result.failed == 1 and "5 s of the clock" in result.why


def test_steps_side_by_side_are_told_one_after_the_other(judge, capsys):
    program = "import time\nfor i in range(3): print('{0}', flush=True); time.sleep(0.1)"
    steps = [judge.Step(name, 30, [sys.executable, "-c", program.format(name)]) for name in ("one", "two")]
    begun = time.monotonic()
    results = judge.run_side_by_side(steps, {})
    assert [r.passed for r in results] == [1, 1] and time.monotonic() - begun < 30
    said = capsys.readouterr().out
    assert "== one\none\none\none\n" in said and "== two\ntwo\ntwo\ntwo\n" in said


def test_a_unit_test_that_uses_up_its_processor_time_has_failed(tmp_path, monkeypatch):
    run_unit = load("run-unit")
    monkeypatch.setattr(run_unit, "SECONDS", 1)
    program = tmp_path / "busy"
    program.write_text(f"#!{sys.executable}\n{BUSY}\n")
    program.chmod(0o700)
    counts, show = run_unit.run(str(program))
    assert counts["FAILED"] == 1 and "1 s of processor time" in show[0]


def test_what_is_missing_is_told_before_anything_runs():
    done = subprocess.run([str(HERE / "deps"), "--look", "make deps-check", "no-such-package-of-any-debian"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 1 and "no-such-package-of-any-debian" in done.stderr and "make deps-check" in done.stderr
