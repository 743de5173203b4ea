"""What the doctor finds, with files and sockets of the test's own and no server."""

import os
import socket
import time
from pathlib import Path

import pytest
from linden.connection_file import ConnectionInfo, write_connection_file
from linden_launchers import doctor
from linden_launchers.doctor import BAD, GOOD, NOTE, Finding, examine


def by_name(findings: list[Finding], what: str) -> list[Finding]:
    return [finding for finding in findings if finding.what == what]


def test_without_a_connection_it_says_what_was_looked_for(tmp_path: Path) -> None:
    findings = list(examine(str(tmp_path / "none.json"), None, timeout=0.2, environment={}))
    assert findings[-1].what == "connection"
    assert findings[-1].verdict == BAD
    assert "none.json" in findings[-1].found
    assert by_name(findings, "job")[0].verdict == NOTE


def test_an_address_that_cannot_be_reached_is_named_with_its_reason(tmp_path: Path) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        silent = f"tcp:127.0.0.1:{bound.getsockname()[1]}"
        info = ConnectionInfo("unix:/nowhere/s", host="login1", addresses=(silent,))
        write_connection_file(tmp_path / "c.json", info)
        findings = list(examine(str(tmp_path / "c.json"), None, timeout=0.5, environment={}))
    assert [(finding.verdict, finding.found) for finding in by_name(findings, "address")] == [
        (BAD, "unix:/nowhere/s: no such file or directory"),
        (BAD, f"{silent}: connection refused"),
    ]
    assert by_name(findings, "server")[0].found == f"no address of it can be reached from {os.uname().nodename}"


def test_a_server_that_only_its_own_host_reaches_needs_a_tunnel() -> None:
    findings = list(doctor.addresses(ConnectionInfo("unix:/nowhere/s", host="login1"), 0.2))
    assert findings[-1].verdict == BAD
    assert "the server on login1 listens there alone" in findings[-1].remedy
    assert "--engines ssh" in findings[-1].remedy


def test_a_connection_file_that_others_can_read_is_bad(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    write_connection_file(path, ConnectionInfo("unix:/nowhere/s"))
    assert [finding.verdict for finding in doctor.credentials(str(path), None)] == [GOOD]
    path.chmod(0o644)
    (finding,) = doctor.credentials(str(path), None)
    assert (finding.verdict, finding.remedy) == (BAD, f"chmod 600 {path}")
    assert "mode 644" in finding.found


def test_inside_a_job_it_says_which_and_how_long_it_lasts() -> None:
    environment = {"LINDEN_ENGINE_SET": "1", "SLURM_JOB_ID": "17", "LINDEN_HOME": "/x", "HOME": "/me"}
    environment["SLURM_JOB_END_TIME"] = str(int(time.time()) + 1000)
    which, walltime = doctor.job(environment)
    assert "LINDEN_ENGINE_SET=1, SLURM_JOB_END_TIME" in which.found
    assert "/x" not in which.found
    assert walltime.verdict == GOOD
    assert 900 < float(walltime.found.split()[0]) <= 1000
    _, over = doctor.job({**environment, "LINDEN_JOB_END": "1"})
    assert over.verdict == BAD


def test_this_host_and_its_programs_are_described(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = [*doctor.versions(), *doctor.names()]
    assert os.uname().nodename in by_name(findings, "host")[0].found
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    monkeypatch.setattr("sysconfig.get_path", lambda _: "/nowhere")
    assert by_name(list(doctor.versions()), "space-engine")[0].verdict == BAD
