"""`tieout serve` as an operator meets it: real processes, signals, a database that goes away."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from tests.acceptance.serving import served, wait_for

REFUSED = (httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError)


def as_admin(one):
    return {"Authorization": f"Bearer {one.admin_key}"}


def test_a_newcomer_starts_it_with_one_command_and_nothing_there(tmp_path):
    data = tmp_path / "data"
    with served(data) as one:
        assert (data.stat().st_mode & 0o777, (data / "secret.key").stat().st_mode & 0o777) == (0o700, 0o600)
        assert one.url.startswith("http://127.0.0.1:")
        assert one.get("/ready").json()["status"] == "ready"
        assert one.get("/health/detailed").json()["status"] == "ok"
        assert one.probe("/healthz").json() == {"status": "ok"}
        assert one.probe("/readyz").json() == {"status": "ready"}
        assert "Tieout" in one.get("/docs").text
        assert one.get("/v1/auth/keys").status_code in (401, 404)
        assert one.get("/v1/rbac/roles").status_code == 401
        assert one.get("/v1/rbac/roles", headers=as_admin(one)).status_code == 200
        text = one.get("/metrics").text
        assert one.get("/v1/metrics").headers["content-type"].startswith("text/plain; version=0.0.4")
        assert "\nqueue_depth 0.0" in text
        assert "\nworker_processes 1.0" in text
        assert 'http_request_duration_seconds_count{method="GET",route="/v1/rbac/roles",service="api"' in text
        assert 'db_connections_active{tenant="superadmin"}' in text
        assert one.end() == 0
    key = one.admin_key
    entries = [json.loads(line) for line in one.logged]
    assert entries[-1]["event"] == "Process ended"
    assert any(entry.get("route") == "/v1/rbac/roles" and entry.get("tenant_id") for entry in entries)
    assert key not in "".join(one.logged)
    with served(data) as again:
        assert not [line for line in again.printed if "administrator" in line]
        assert again.get("/v1/rbac/roles", headers={"Authorization": f"Bearer {key}"}).status_code == 200
        assert again.end(signal.SIGINT) == 0


def test_a_killed_process_starts_again(tmp_path):
    with served(tmp_path / "data") as one:
        key = as_admin(one)
        one.end(signal.SIGKILL)
    with served(tmp_path / "data") as again:
        assert again.get("/v1/rbac/roles", headers=key).status_code == 200
        assert again.get("/ready").status_code == 200
        assert again.end() == 0


def test_a_port_that_is_taken_is_said(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "tieout", "serve", "--port", port]
        environment = {**os.environ, "PYTHONPATH": "src", "TIEOUT_DATA_DIR": str(tmp_path), "TIEOUT_WORKER_PORT": "0"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 20
    assert f"Port {port} of 127.0.0.1 cannot be used: address already in use." in done.stderr
    assert "--port" in done.stderr


def test_parts_apart_beside_one_postgresql_with_two_workers(tmp_path, postgres, postgres_template):
    state = postgres.new_database(postgres_template)
    data = tmp_path / "data"
    with (
        served(data, "--role", "api", TIEOUT_STATE=state) as api,
        served(data, "--role", "worker", TIEOUT_STATE=state) as first,
        served(data, "--role", "worker", TIEOUT_STATE=state) as second,
        served(data, "--role", "scheduler", "--state", state) as scheduler,
    ):
        assert sorted(api.get("/ready").json()["checks"]) == [
            "cache_hit_ratio",
            "loops",
            "replica_lag",
            "staging_backlog",
            "state",
        ]
        assert wait_for(lambda: "\nworker_processes 2.0" in api.get("/metrics").text)
        assert api.get("/v1/rbac/roles", headers=as_admin(api)).status_code == 200
        assert first.probe("/readyz").json() == second.probe("/readyz").json() == {"status": "ready"}
        assert httpx.post(f"http://127.0.0.1:{first.probe_port}/readyz").status_code == 405
        assert first.probe("/other").status_code == 404
        first.end(signal.SIGKILL)
        with served(data, "--role", "worker", TIEOUT_STATE=state) as third:
            assert third.probe("/readyz").status_code == 200
            assert [one.end() for one in (second, third, scheduler, api)] == [0, 0, 0, 0]


def test_a_database_that_goes_away_is_waited_for(tmp_path, postgres, postgres_template):
    state = postgres.new_database(postgres_template)
    with served(tmp_path / "data", TIEOUT_STATE=state) as one:
        asked = {"path": "/v1/rbac/roles", "headers": as_admin(one)}
        assert one.get(**asked).status_code == 200
        postgres.stop()
        try:
            gone = wait_for(lambda: (answer := one.get(**asked)).status_code == 503 and answer)
            assert gone.json()["error"]["code"] == "UNAVAILABLE"
            assert "only-for-tests" not in gone.text
            assert wait_for(lambda: one.get("/ready").status_code == 503)
            assert wait_for(lambda: one.probe("/readyz").json() == {"status": "unready"})
            assert one.probe("/healthz").status_code == 200
            assert wait_for(lambda: "\nstate_up 0.0" in one.get("/metrics").text)
        finally:
            postgres.start()
        assert wait_for(lambda: one.get(**asked).status_code == 200)
        assert wait_for(lambda: one.get("/ready").status_code == 200)
        assert wait_for(lambda: one.probe("/readyz").status_code == 200)
        assert one.end() == 0


def open_connection(one):
    host, port = one.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def test_bodies_that_are_too_large_or_too_slow_are_refused(tmp_path):
    limits = {"TIEOUT_MAX_BODY_BYTES": "1000", "TIEOUT_REQUEST_TIMEOUT_S": "1"}
    head = b"POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with served(tmp_path / "data", **limits) as one:
        with open_connection(one) as large:
            large.sendall(head + b"Content-Length: 1000000000\r\n\r\n")
            assert large.recv(65536).startswith(b"HTTP/1.1 413")
        with open_connection(one) as chunked:
            chunked.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n")
            assert chunked.recv(65536).startswith(b"HTTP/1.1 413")
        with open_connection(one) as slow:
            slow.sendall(head + b"Content-Length: 100\r\n\r\n{")
            assert slow.recv(65536).startswith(b"HTTP/1.1 408")
        assert one.get("/health").status_code == 200
        assert one.end() == 0


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with served(tmp_path_factory.mktemp("tricks") / "data") as one:
        yield one


TRICKS = [
    b"Content-Length: 5\r\nContent-Length: 6\r\n",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999999\r\n",
    b"X-Request-ID: a\x00b\r\n",
    b"X: " + b"a" * 200_000 + b"\r\n",
]


@pytest.mark.parametrize("trick", TRICKS, ids=range(len(TRICKS)))
def test_heads_that_two_servers_could_read_differently_are_refused(shared, trick):
    with open_connection(shared) as connection:
        try:
            connection.sendall(b"POST /v1/auth/login HTTP/1.1\r\nHost: x\r\n" + trick + b"\r\nabcde")
            told = connection.recv(65536)
        except ConnectionError:
            told = b""
        assert told == b"" or told.startswith((b"HTTP/1.1 400", b"HTTP/1.1 413", b"HTTP/1.1 431"))
    assert shared.get("/health").status_code == 200


def test_what_is_asked_is_finished_before_it_ends(tmp_path):
    with served(tmp_path / "data") as one:
        body = json.dumps({"email": "a@example.com", "password": "long enough", "tenant": "t"}).encode()
        with open_connection(one) as connection:
            connection.sendall(
                b"POST /v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                + f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body[:10]
            )
            time.sleep(0.3)  # until it has begun to read: nothing tells that
            one.process.send_signal(signal.SIGTERM)
            assert wait_for(lambda: any("Shutting down" in line for line in one.logged))
            with pytest.raises(REFUSED):
                one.get("/health")
            connection.sendall(body[10:])
            assert connection.recv(65536).startswith(b"HTTP/1.1 4")
        assert one.process.wait(60) == 0


def fill(path):
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("unshare"), reason="a full disk needs a mount of its own")
def test_a_full_disk_refuses_writes_and_recovers(tmp_path):
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=700", "tieout", data], check=False)
    if mounted.returncode:
        pytest.skip("this account may not mount")
    try:
        with served(data) as one:
            create = {"name": "reader", "permissions": ["rbac.roles.read"]}
            ask = lambda name: httpx.post(  # noqa: E731
                one.url + "/v1/rbac/roles", json={**create, "name": name}, headers=as_admin(one), timeout=60
            )
            assert ask("before").status_code == 201
            filler = data / "filler"
            fill(filler)
            answers = [ask(f"during-{number}") for number in range(40)]
            assert {answer.status_code for answer in answers} <= {201, 503}
            assert answers[-1].status_code == 503
            assert answers[-1].json()["error"]["code"] == "UNAVAILABLE"
            assert one.get("/v1/rbac/roles", headers=as_admin(one)).status_code == 200
            filler.unlink()
            assert wait_for(lambda: ask("after").status_code in (201, 409))
            assert one.end() == 0
    finally:
        subprocess.run(["umount", "-l", data], check=True)
