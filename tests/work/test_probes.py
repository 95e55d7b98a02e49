import socket

import httpx
import pytest

from tieout.work.probes import Probes


@pytest.fixture
def ready():
    return [True]


@pytest.fixture
def url(ready):
    probes = Probes("127.0.0.1", 0, lambda: ready[0])
    probes.start()
    yield f"http://127.0.0.1:{probes.server_port}"
    probes.shutdown()
    probes.server_close()


def test_probes_answer_as_the_contract_prints_them(url, ready):
    assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
    assert (httpx.get(f"{url}/readyz").status_code, httpx.get(f"{url}/readyz").json()) == (200, {"status": "ready"})
    ready[0] = False
    assert (httpx.get(f"{url}/readyz").status_code, httpx.get(f"{url}/readyz").json()) == (503, {"status": "unready"})
    assert httpx.get(f"{url}/healthz?x=1").status_code == 200


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/other"])
def test_only_get_is_answered(url, method, path):
    answer = httpx.request(method, url + path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz/", "/../healthz"])
def test_there_is_nothing_else(url, path):
    assert httpx.get(url + path).status_code == 404 or path == "/../healthz"


def test_a_client_that_goes_away_disturbs_nobody(url, capfd):
    with socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1]))) as connection:
        connection.sendall(b"GET /healthz HT")
    assert httpx.get(f"{url}/healthz").status_code == 200
    assert capfd.readouterr().err == ""
