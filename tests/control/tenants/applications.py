"""An application with valid defaults, and who decides about it."""

from tests.control.access.people import key_header

PASSWORD = "a sentence nobody guesses"  # noqa: S105 - of people who exist in tests alone


def an_application(*, business=None, owner=None):
    return {
        "business": {
            "legalName": "Blue Door Restaurants GmbH",
            "doingBusinessAs": "Blue Door",
            "contactEmail": "office@blue-door.example",
            "contactPhone": "+49 30 1234567",
            "country": "DE",
            "timezone": "Europe/Berlin",
            **(business or {}),
        },
        "owner": {
            "firstName": "Mia",
            "lastName": "Stone",
            "email": "Mia@Blue-Door.example",
            "password": PASSWORD,
            **(owner or {}),
        },
    }


def registered(client, **changes):
    answer = client.post("/v1/auth/register", json=an_application(**changes))
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]["registrationId"]


def superadmin(platform, *permissions):
    return key_header(platform, "superadmin", *permissions)


def decide(client, headers, registration, decision="approve", **more):
    path = f"/v1/superadmin/registrations/{registration}/decision"
    return client.post(path, headers=headers, json={"decision": decision, **more})


def approved(client, platform, **changes):
    answer = decide(client, superadmin(platform), registered(client, **changes))
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["tenantId"]
