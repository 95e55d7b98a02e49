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
