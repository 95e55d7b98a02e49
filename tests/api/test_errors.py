from tieout.api.access import platform_of
from tieout.store.folders import StorageFull
from tieout.store.state import StateUnavailable


def test_what_does_not_exist_is_said_in_the_shape_of_its_part(client):
    headers = {"X-Request-ID": "r1"}
    assert client.get("/nowhere", headers=headers).json() == {
        "success": False,
        "error": "Not Found",
        "code": "NOT_FOUND",
        "request_id": "r1",
    }
    assert client.get("/v1/nowhere", headers=headers).json() == {
        "error": {"code": "NOT_FOUND", "message": "Not Found", "request_id": "r1"}
    }


def test_the_process_says_that_it_lives(client):
    assert client.get("/v1/health").json() == {"status": "ok", "timestamp": "2026-03-01T12:00:00+00:00"}


def test_what_is_the_operators_to_mend_is_told_without_addresses(client, log_lines):
    def gone():
        raise StateUnavailable("The state database postgresql://db.internal cannot be used.", subject="db.internal")

    def full():
        raise StorageFull("The disk of /srv/secret is full.", subject="/srv/secret")

    for fault, status, reason in ((gone, 503, "state_unavailable"), (full, 507, StorageFull.code)):
        client.app.dependency_overrides[platform_of] = fault
        answer = client.get("/v1/health")
        assert (answer.status_code, answer.json()["error"]["details"]) == (status, {"reason": reason})
        assert "internal" not in answer.text
        assert "/srv" not in answer.text
    assert "db.internal" in log_lines.getvalue()
