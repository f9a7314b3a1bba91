from __future__ import annotations

import os
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nni
import pytest
from nni import _reports


def numbers_by_reporter(trial: Any) -> dict[str, list[int]]:
    numbers = defaultdict(list)
    for report in trial.reports():
        numbers[report["r"]].append(report["n"])
    return numbers


def assert_numbered_without_gaps(trial: Any) -> None:
    for reporter, numbers in numbers_by_reporter(trial).items():
        assert numbers == list(range(len(numbers))), reporter


def test_a_report_is_one_line_of_plain_json(inside: Any) -> None:
    nni.get_next_parameter()
    before = time.time()
    nni.report_intermediate_result(0.5)
    nni.report_final_result({"default": 1, "note": "ü\n"})
    first, second = inside.reports()
    assert {**first, "t": 0, "r": ""} == {"k": "i", "r": "", "n": 0, "t": 0, "v": 0.5}
    assert {**second, "t": 0, "r": ""} == {
        "k": "f",
        "r": "",
        "n": 1,
        "t": 0,
        "v": {"default": 1, "note": "ü\n"},
    }
    assert first["r"] == second["r"]
    assert re.fullmatch(rf"{os.getpid()}-[0-9a-f]+", first["r"])
    assert before <= first["t"] <= second["t"] <= time.time()
    assert inside.report_file.stat().st_mode & 0o777 == 0o600


FORKS = """
import os, threading
import nni

nni.get_next_parameter()
stop = threading.Event()
reported = [0, 0]

def report(thread):
    while not stop.is_set():
        nni.report_intermediate_result({"parent": thread, "count": reported[thread], "text": "x" * 300})
        reported[thread] += 1

threads = [threading.Thread(target=report, args=(thread,), daemon=True) for thread in range(2)]
for thread in threads:
    thread.start()
for child in range(200):
    pid = os.fork()
    if pid == 0:
        nni.report_intermediate_result({"child": child, "count": 0})
        nni.report_intermediate_result({"child": child, "count": 1})
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
nni.report_final_result(sum(reported))
"""


@pytest.mark.parametrize("version", ["3.8", "3.11", "3.13"])
def test_200_forks_during_continuous_reporting(
    version: str, trial: Any, find_python: Callable[[str], str]
) -> None:
    trial.run(FORKS, python=find_python(version))
    values = trial.values()
    children = [(value["child"], value["count"]) for value in values if "child" in value]
    assert sorted(children) == [(child, count) for child in range(200) for count in range(2)]
    for thread in range(2):
        counts = [value["count"] for value in values if value.get("parent") == thread]
        assert counts == list(range(len(counts)))
    assert trial.values("f") == [len(values) - len(children)]
    assert_numbered_without_gaps(trial)


FIRST_USE = """
import os, signal, threading
import nni
if __name__ == "__main__":
    use = lambda: nni.report_intermediate_result(nni.get_next_parameter()["layers"])
    threading.Thread(target=use).start()
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        nni.report_intermediate_result(nni.get_next_parameter()["lr"])
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
"""


def test_a_fork_while_a_thread_uses_nni_for_the_first_time(trial: Any) -> None:
    for _ in range(10):
        trial.run(FIRST_USE)
    assert sorted(trial.values()) == [0.1] * 10 + [3] * 10


def test_threads_lose_nothing(trial: Any) -> None:
    trial.run("""
    import sys, threading
    import nni
    sys.setswitchinterval(1e-6)
    nni.get_next_parameter()

    def report(thread):
        for count in range(500):
            nni.report_intermediate_result([thread, count])

    threads = [threading.Thread(target=report, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    """)
    values = trial.values()
    assert sorted(values) == [[thread, count] for thread in range(8) for count in range(500)]
    for thread in range(8):
        assert [count for owner, count in values if owner == thread] == list(range(500))
    assert_numbered_without_gaps(trial)


def test_spawned_and_pooled_processes_lose_nothing(trial: Any) -> None:
    trial.run("""
    import multiprocessing, os
    import nni

    def report(count):
        nni.report_intermediate_result([os.getpid(), count])

    if __name__ == "__main__":
        nni.get_next_parameter()
        for method in ("fork", "spawn", "forkserver"):
            with multiprocessing.get_context(method).Pool(3) as pool:
                pool.map(report, range(50), chunksize=1)
    """)
    assert sorted(count for _, count in trial.values()) == sorted(list(range(50)) * 3)
    assert_numbered_without_gaps(trial)
    assert {name.split("-")[0] for name in numbers_by_reporter(trial)} == {
        str(pid) for pid, _ in trial.values()
    }


def test_a_result_survives_the_end_of_the_process(trial: Any) -> None:
    trial.run("""
    import os, signal
    import nni
    nni.get_next_parameter()
    for end in (lambda: os._exit(0), lambda: os.kill(os.getpid(), signal.SIGKILL)):
        pid = os.fork()
        if pid == 0:
            for count in range(5):
                nni.report_intermediate_result(count)
            end()
        os.waitpid(pid, 0)
    nni.report_final_result(1)
    os._exit(0)
    """)
    assert trial.values() == [0, 1, 2, 3, 4] * 2
    assert trial.values("f") == [1]


def test_a_changed_folder_and_closed_descriptors_do_not_matter(trial: Any) -> None:
    trial.run("""
    import os
    import nni
    nni.get_next_parameter()
    nni.report_intermediate_result(1)
    os.chdir("/")
    os.closerange(3, 64)
    other = [open(os.path.join(os.environ["NNI_OUTPUT_DIR"], str(n)), "w") for n in range(9)]
    nni.report_intermediate_result(2)
    assert nni.get_next_parameter()["lr"] == 0.1
    """)
    assert trial.values() == [1, 2]
    assert all((trial.output / str(n)).read_bytes() == b"" for n in range(9))


def test_a_report_leaves_no_descriptor_behind(inside: Any) -> None:
    nni.get_next_parameter()
    nni.report_intermediate_result(1)
    before = sorted(Path("/dev/fd").iterdir())
    for _ in range(10):
        nni.report_intermediate_result(2)
    assert sorted(Path("/dev/fd").iterdir()) == before


def test_a_signal_handler_may_report_in_the_middle_of_a_report(
    inside: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nni.get_next_parameter()
    nni.report_intermediate_result("first")
    append_line = _reports._append_line

    def interrupted(path: str, line: bytes) -> None:
        monkeypatch.setattr(_reports, "_append_line", append_line)
        nni.report_intermediate_result("by the handler")
        append_line(path, line)

    monkeypatch.setattr(_reports, "_append_line", interrupted)
    nni.report_intermediate_result("second")
    assert inside.values() == ["first", "by the handler", "second"]
    assert_numbered_without_gaps(inside)  # a number below the last one stored would be taken for a repeat


def test_many_short_threads_share_few_reporters(inside: Any) -> None:
    nni.get_next_parameter()
    for count in range(50):
        thread = threading.Thread(target=nni.report_intermediate_result, args=(count,))
        thread.start()
        thread.join()
    assert len(numbers_by_reporter(inside)) == 1


FULL_DISK = """
import os, resource, errno
import nni
nni.get_next_parameter()
nni.report_intermediate_result("before")
size = os.stat(os.path.join(os.environ["NNI_SYS_DIR"], "reports.jsonl")).st_size
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, hard))
for _ in range(2):  # once with room for a fragment, once without any
    try:
        nni.report_intermediate_result("does not fit")
        raise SystemExit("no error")
    except OSError as error:
        assert error.errno == errno.EFBIG, error
        print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
pid = os.fork()
if pid == 0:
    nni.report_intermediate_result("after, by another process")
    os._exit(0)
os.waitpid(pid, 0)
nni.report_final_result("after")
"""


def test_a_full_disk_is_an_error_and_spoils_no_other_line(trial: Any) -> None:
    result = trial.run(FULL_DISK)
    assert result.stdout.count("the result could not be stored: File too large") == 2
    assert str(trial.report_file) in result.stdout
    lines = trial.report_file.read_text().splitlines()
    assert ['"before"' in lines[0], len(lines[1]), len(lines)] == [True, 20, 4]
    trial.report_file.write_text("\n".join([lines[0], *lines[2:], ""]))
    assert trial.values() == ["before", "after, by another process"]
    assert trial.values("f") == ["after"]


def test_a_folder_that_is_gone_is_an_error(inside: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    nni.get_next_parameter()
    nni.report_intermediate_result(1)
    inside.report_file.unlink()
    inside.report_file.mkdir()
    with pytest.raises(IsADirectoryError, match=r"the result could not be stored: .*reports.jsonl"):
        nni.report_final_result(1)
    assert nni.get_next_parameter() is not None, "the result is not there, so the trial is not done"


def test_two_runs_of_a_trial_have_their_own_files(inside: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    nni.get_next_parameter()
    nni.report_intermediate_result("first run")
    second = inside.system.parent / "1"
    second.mkdir()
    (second / "parameters.json").write_bytes((inside.system / "parameters.json").read_bytes())
    monkeypatch.setenv("NNI_SYS_DIR", str(second))
    with pytest.raises(AssertionError):
        nni.report_intermediate_result("nobody has asked in the second run")
    nni.get_next_parameter()
    nni.report_intermediate_result("second run")
    assert inside.values() == ["first run"]
    assert "second run" in (second / "reports.jsonl").read_text()
