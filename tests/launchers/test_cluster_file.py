"""What is written about a cluster is private, complete at every moment, and never leads to killing a stranger."""

import os
import stat
from pathlib import Path

import pytest
from linden_launchers import cluster_file
from linden_launchers.cluster_file import ClusterState, ProcessRecord
from linden_launchers.launcher import LaunchError
from linden_launchers.process import process_id


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LINDEN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def myself() -> ProcessRecord:
    me = process_id(os.getpid())
    assert me is not None
    return ProcessRecord(me.pid, me.started, log="/log")


def state(**changes: object) -> ClusterState:
    values = {"cluster_id": "c", "owner": myself(), "owner_kind": "session", "n": 2, "data_directory": "/d"}
    return ClusterState(**{**values, "socket_file": "/d/none.sock", **changes})  # type: ignore[arg-type]


def test_reads_what_was_written(tmp_path: Path) -> None:
    written = state(server=myself(), engines=[myself(), myself()])
    cluster_file.write_cluster_file(tmp_path, written)
    assert cluster_file.read_cluster_file(tmp_path) == written


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    cluster_file.write_cluster_file(tmp_path, state())
    assert stat.S_IMODE((tmp_path / "cluster.json").stat().st_mode) == 0o600
    directory = cluster_file.make_private_directory(tmp_path / "private")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    cluster_file.write_private_json(tmp_path / "f.json", {"a": 1})
    with pytest.raises(TypeError):
        cluster_file.write_private_json(tmp_path / "f.json", {"a": object()})
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["f.json"]
    assert '"a": 1' in (tmp_path / "f.json").read_text()


def test_no_file_is_no_cluster(tmp_path: Path) -> None:
    assert cluster_file.read_cluster_file(tmp_path) is None


@pytest.mark.parametrize("content", ["", "[", '{"format": 1}', '{"format": 2}', '{"format": 1, "owner": 3}', "[1]"])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "cluster.json").write_text(content)
    with pytest.raises(LaunchError, match=r"cluster\.json"):
        cluster_file.read_cluster_file(tmp_path)


def test_a_reused_pid_is_not_alive() -> None:
    me = myself()
    stranger = ProcessRecord(me.pid, me.started - 1, log="")
    assert state().alive(me)
    assert not state().alive(stranger)


def test_nothing_of_before_the_last_boot_is_alive() -> None:
    assert not state(boot="another").alive(myself())


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "x" * 65, "a b"])
def test_a_cluster_id_is_a_plain_name(name: str) -> None:
    with pytest.raises(LaunchError, match="cluster id"):
        cluster_file.cluster_directory(name)


def test_a_long_directory_gets_a_short_socket(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(scratch))
    deep = scratch / ("d" * 100)
    path = cluster_file.socket_path(deep)
    assert len(str(path)) < cluster_file.SOCKET_PATH_MAX
    assert path == cluster_file.socket_path(deep)
    assert path != cluster_file.socket_path(scratch / ("e" * 100))
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert cluster_file.socket_path(Path("/short")) == Path("/short/space.sock")


def test_what_stays_of_a_stopped_cluster(home: Path) -> None:
    for temporary in (False, True):
        directory = cluster_file.make_private_directory(cluster_file.cluster_directory("c"))
        (directory / "data").mkdir(exist_ok=True)
        written = state(temporary=temporary)
        cluster_file.write_cluster_file(directory, written)
        cluster_file.remove_files(directory, written)
        assert directory.exists() is not temporary
        assert not (directory / "cluster.json").exists()


def test_files_of_a_dead_temporary_cluster_are_swept_and_others_are_not(home: Path) -> None:
    dead = ProcessRecord(2**22 + 1, 1, log="")
    cases = {
        "dead": state(owner=dead, temporary=True),
        "kept": state(owner=dead, temporary=False),
        "alive": state(temporary=True),
        "elsewhere": state(owner=dead, temporary=True, host="another"),
    }
    for name, content in cases.items():
        directory = cluster_file.make_private_directory(cluster_file.cluster_directory(name))
        cluster_file.write_cluster_file(directory, content)
    cluster_file.sweep_temporary()
    assert [path.name for path in cluster_file.cluster_directories()] == ["alive", "elsewhere", "kept"]
