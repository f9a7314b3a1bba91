"""What is unpacked on the machine that trials run on: wholly or not at all, and nowhere else."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import resource
import stat
import subprocess
import sys
import tarfile
import textwrap
import time
from pathlib import Path

import pytest
from nni import unpack

PROGRAM = Path(unpack.__file__).read_text("ascii")
HASH = "0123456789abcdef"


class Member:
    """Something to pack: a file unless a type is given."""

    def __init__(
        self, name: str, content: bytes = b"", *, link: str = "", kind: bytes = b"", mode: int = 0o644
    ):
        self.info = tarfile.TarInfo(name)
        self.info.size, self.info.mode, self.content = len(content), mode, content
        self.info.linkname = link
        self.info.type = kind or (tarfile.SYMTYPE if link else tarfile.REGTYPE)


def folder(name: str) -> Member:
    return Member(name, kind=tarfile.DIRTYPE)


def pack(path: Path, *members: Member) -> str:
    """Packs members and returns the hash."""
    packed = io.BytesIO()
    with tarfile.open(
        fileobj=packed, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape"
    ) as tar:
        for member in members:
            tar.addfile(member.info, io.BytesIO(member.content))
    path.write_bytes(gzip.compress(packed.getvalue()))
    return hashlib.sha256(packed.getvalue()).hexdigest()


def ordinary(path: Path) -> str:
    return pack(
        path,
        folder("lib"),
        Member("lib/model.py", b"class Model: pass"),
        Member("link", link="lib/model.py"),
        Member("run.sh", b"true", mode=0o700),
    )


def call(request: dict[str, object], python: str = sys.executable, **options: object) -> dict[str, object]:
    """Runs the program as it is run on a machine: its text by standard input, nothing of ours there."""
    text = f"{PROGRAM}\nmain({json.dumps(request)!a})\n".encode("ascii")
    done = subprocess.run(
        [python, "-I", "-S", "-"], input=text, capture_output=True, check=True, timeout=60, **options
    )
    assert done.stderr == b"", done.stderr
    return json.loads(done.stdout.splitlines()[-1].partition(b"nni-reply ")[2])


def held(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*"))


@pytest.mark.parametrize("version", ["3.8", "3.13"])
def test_what_is_there_then(tmp_path: Path, find_python, version: str) -> None:
    sha256, target = ordinary(tmp_path / "sent"), tmp_path / "code" / HASH
    target.parent.mkdir()
    request = {"do": "unpack", "archive": str(tmp_path / "sent"), "folder": str(target), "sha256": sha256}
    assert call(request, find_python(version), umask=0o077) == {"done": True}
    assert held(tmp_path) == [
        "code",
        *(f"code/{HASH}{name}" for name in ("", "/lib", "/lib/model.py", "/link", "/run.sh")),
    ]
    assert (target / "link").read_text() == "class Model: pass"
    modes = [stat.S_IMODE((target / name).stat().st_mode) for name in (".", "lib", "run.sh", "lib/model.py")]
    assert modes == [0o700, 0o755, 0o755, 0o644]
    assert (target / "run.sh").stat().st_mtime_ns == (target / "lib" / "model.py").stat().st_mtime_ns


def test_an_old_machine_takes_names_that_are_no_text(tmp_path: Path, find_python) -> None:
    odd = ["new\nline", "caf\udce9", "\u00e9\u4e2d", "-rf", "a" * 255, "deep/" * 60 + "file", " "]
    members = [folder("deep" + "/deep" * depth) for depth in range(60)]
    sha256 = pack(
        tmp_path / "sent", *members, *(Member(name, name.encode("utf-8", "surrogateescape")) for name in odd)
    )
    request = {
        "do": "unpack",
        "archive": str(tmp_path / "sent"),
        "folder": str(tmp_path / HASH),
        "sha256": sha256,
    }
    assert call(request, find_python("3.8"), env={"LC_ALL": "C", "PATH": ""}) == {"done": True}
    for name in odd:
        assert (tmp_path / HASH / name).read_bytes() == os.fsencode(name)


@pytest.mark.parametrize(
    "members",
    [
        [Member("../out")],
        [Member("/out")],
        [folder("a"), Member("a/../../out")],
        [folder("..")],
        [Member("a/./out")],
        [Member("out", kind=tarfile.FIFOTYPE)],
        [Member("out", kind=tarfile.CHRTYPE)],
        [Member("a"), Member("out", link="a", kind=tarfile.LNKTYPE)],
        [Member("a", link="../.."), Member("a/out")],
        [Member("a", link="../.."), folder("a/out")],
        [Member("a", link="/tmp"), Member("a", b"again")],
        [Member("a"), Member("a")],
        [Member("../out", link="a")],
    ],
    ids=lambda members: " ".join(f"{each.info.name}:{each.info.type.decode()}" for each in members),
)
def test_nothing_is_written_elsewhere(tmp_path: Path, members: list[Member]) -> None:
    place = tmp_path / "a" / "b" / "code"
    place.mkdir(parents=True)
    sha256 = pack(tmp_path / "sent", *members)
    answer = call(
        {"do": "unpack", "archive": str(tmp_path / "sent"), "folder": str(place / HASH), "sha256": sha256}
    )
    assert "problem" in answer
    assert held(tmp_path) == ["a", "a/b", "a/b/code"]


@pytest.mark.parametrize("damage", ["shorter", "changed", "another", "nothing"])
def test_what_is_damaged_is_not_unpacked(tmp_path: Path, damage: str) -> None:
    sent = tmp_path / "sent"
    sha256 = pack(sent, Member("a", os.urandom(50_000)))
    content = bytearray(sent.read_bytes())
    if damage == "shorter":
        sent.write_bytes(content[:-20_000])
    elif damage == "changed":
        content[30_000] ^= 1
        sent.write_bytes(content)
    elif damage == "another":
        ordinary(sent)
    else:
        sent.write_bytes(b"")
    answer = call({"do": "unpack", "archive": str(sent), "folder": str(tmp_path / HASH), "sha256": sha256})
    assert str(answer["problem"]).startswith("what arrived is ")
    assert held(tmp_path) == []


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    sha256 = pack(tmp_path / "sent", Member("big", b"a" * 100_000))
    request = {
        "do": "unpack",
        "archive": str(tmp_path / "sent"),
        "folder": str(tmp_path / HASH),
        "sha256": sha256,
    }
    limit = (50_000, 50_000)
    answer = call(request, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    assert answer == {"problem": "File too large"}
    assert held(tmp_path) == []


CRASHING = """
import json, os, sys
os.chdir(sys.argv[1])
events = {"open", "shutil.rmtree", "tempfile.mkdtemp"}
for moment in range(1, 1000):
    os.mkdir("m"); os.mkdir("m/code"); os.link("sent", "m/sent")
    pid = os.fork()
    if pid == 0:
        left = [moment]
        def hook(event, arguments):
            if event.startswith("os.") or event in events:
                left[0] -= 1
                if left[0] == 0:
                    os._exit(9)
        sys.addaudithook(hook)
        unpack("m/sent", "m/code/there", sys.argv[2])
        os._exit(0)
    ended = os.WEXITSTATUS(os.waitpid(pid, 0)[1])
    walk = os.walk("m/code/there")
    found = sorted(os.path.join(at, name)[12:] for at, folders, files in walk for name in folders + files)
    again = unpack("sent", "m/code/there", sys.argv[2], keep=True)
    for name in os.listdir("m/code"):
        if name != "there":
            os.utime("m/code/" + name, (0, 0))
    prepare("m", ["code/there"])
    swept = os.listdir("m/code")
    print(json.dumps([ended, found, again["done"], swept]))
    remove("m")
    if ended == 0:
        break
"""


def test_a_crash_at_any_moment_leaves_nothing_or_all(tmp_path: Path) -> None:
    sha256 = ordinary(tmp_path / "sent")
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROGRAM + CRASHING, str(tmp_path), sha256],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    *crashes, end = map(json.loads, done.stdout.splitlines())
    everything = ["/lib", "/lib/model.py", "/link", "/run.sh"]
    assert end == [0, everything, False, ["there"]]
    assert len(crashes) > 15
    seen = set()
    for ended, found, done_again, swept in crashes:
        assert ended == 9 and found in ([], everything) and swept == ["there"]
        assert done_again == (found == [])
        seen.add(bool(found))
    assert seen == {False, True}
    assert held(tmp_path) == ["sent"]


def test_several_do_it_at_the_same_time(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    sha256 = pack(tmp_path / "sent", *(Member(f"file{number}", b"text" * 100) for number in range(200)))
    script = textwrap.dedent(
        """
        import os, sys
        os.chdir(sys.argv[1])
        begin, ready = os.pipe(), os.pipe()
        children = []
        for number in range(6):
            os.link("sent", "sent%d" % number)
            pid = os.fork()
            if pid == 0:
                os.close(begin[1])
                os.read(begin[0], 1)  # until the pipe is closed: all at once
                answer = unpack("sent%d" % number, "code/there", sys.argv[2])
                os._exit(40 + answer["done"])
            children.append(pid)
        os.close(begin[1])
        print(sorted(os.WEXITSTATUS(os.waitpid(pid, 0)[1]) for pid in children))
        """
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROGRAM + script, str(tmp_path), sha256],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert done.stdout == "[40, 40, 40, 40, 40, 41]\n"
    assert len(held(tmp_path / "code" / "there")) == 200
    assert held(tmp_path / "code")[0] == "there"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("sent")] == ["sent"]


def test_places_are_made_for_the_user_alone(tmp_path: Path) -> None:
    request = {"do": "prepare", "directory": "~/nni-experiments/e1", "folders": [f"code/{HASH}", "sdk/abc"]}
    answer = call(request, env={"HOME": str(tmp_path)}, umask=0)
    place = tmp_path / "nni-experiments" / "e1"
    assert answer["directory"] == str(place) and answer["there"] == []
    assert answer["free_bytes"] == pytest.approx(
        os.statvfs(place).f_bavail * os.statvfs(place).f_frsize, rel=0.2
    )
    for path in (place.parent, place, place / "code", place / "sdk"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    (place / "sdk" / "abc").mkdir()
    assert call(request, env={"HOME": str(tmp_path)})["there"] == ["sdk/abc"]


def test_a_place_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = call({"do": "prepare", "directory": str(tmp_path / "file" / "e1"), "folders": ["code/x"]})
    assert answer == {"problem": f"{str(tmp_path / 'file')!r} is no folder"}


def test_only_what_is_abandoned_is_swept(tmp_path: Path) -> None:
    code = tmp_path / "code"
    old = time.time() - unpack.ABANDONED_SECONDS - 60
    for name in (".incoming-a", ".unfinished-a", ".removing-a", ".incoming-b", "kept"):
        (code / name).mkdir(parents=True)
    (code / ".incoming-c").touch()
    (code / ".unfinished-a" / "file").touch()
    (code / ".removing-l").symlink_to(tmp_path)
    for name in (".incoming-a", ".unfinished-a", ".removing-a", "kept", ".incoming-c"):
        os.utime(code / name, (old, old))
    os.utime(code / ".removing-l", (old, old), follow_symlinks=False)
    unpack.prepare(str(tmp_path), ["code/x"])
    assert held(tmp_path) == ["code", "code/.incoming-b", "code/kept"]


def test_a_folder_is_removed(tmp_path: Path) -> None:
    (tmp_path / "e1" / "code").mkdir(parents=True)
    (tmp_path / "e1" / "code" / "file").touch()
    (tmp_path / "e1" / "out").symlink_to(tmp_path)
    assert call({"do": "remove", "folder": str(tmp_path / "e1")}) == {"left": []}
    assert call({"do": "remove", "folder": str(tmp_path / "e1")}) == {"left": []}
    assert held(tmp_path) == []
