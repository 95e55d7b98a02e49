from __future__ import annotations

import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.work.outbox.receiver import closed_port, receiving
from tieout.work.outbox.addresses import Reach
from tieout.work.outbox.sending import Sender, _seconds

LOOPBACK = Reach(is_http_allowed=True, allowed=(ip_network("127.0.0.0/8"),))
QUICK = Sender(LOOPBACK, connect_s=0.5, whole_s=0.5)
PATIENT = Sender(LOOPBACK)


@pytest.fixture(scope="module")
def receiver():
    with receiving() as running:
        yield running


def test_a_message_arrives_as_it_was_given(receiver):
    answer = PATIENT.post(receiver.url("/in?x=1"), b'{"a":1}', {"webhook-id": "7", "Content-Type": "application/json"})
    assert (answer.ending, answer.status_code) == ("delivered", 204)
    got = receiver.at("/in?x=1")[-1]
    assert got.body == b'{"a":1}'
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert got.headers["webhook-id"] == "7"
    assert got.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/hang", "/drip", "/driphead"])
def test_the_whole_exchange_ends_in_time(receiver, path):
    began = time.monotonic()
    answer = QUICK.post(receiver.url(path), b"{}", {})
    assert (answer.ending, answer.error) == ("unwell", "No whole answer within 0.5 s.")
    assert time.monotonic() - began < 5


def test_a_huge_answer_is_not_read(receiver):
    assert PATIENT.post(receiver.url("/huge"), b"{}", {}).ending == "delivered"
    assert receiver.sent < 64 * 1024**2


def test_no_redirect_is_followed(receiver):
    answer = PATIENT.post(receiver.url("/redirect"), b"{}", {})
    assert (answer.ending, answer.status_code) == ("failed", 302)
    assert receiver.at("/inside") == []


@pytest.mark.parametrize(
    ("status", "ending"),
    [
        (200, "delivered"),
        (299, "delivered"),
        (304, "failed"),
        (400, "failed"),
        (401, "failed"),
        (404, "failed"),
        (410, "gone"),
        (429, "unwell"),
        (500, "failed"),
        (503, "unwell"),
    ],
)
def test_what_a_status_means(receiver, status, ending):
    receiver.statuses[f"/{status}"] = status
    answer = PATIENT.post(receiver.url(f"/{status}"), b"{}", {})
    assert (answer.ending, answer.status_code) == (ending, status)


def test_an_endpoint_may_say_when_to_come_back(receiver):
    assert PATIENT.post(receiver.url("/busy"), b"{}", {}).retry_after_s == 7200
    later = datetime.now(UTC) + timedelta(hours=1)
    assert 3500 < _seconds(later.strftime("%a, %d %b %Y %H:%M:%S GMT")) <= 3600
    assert _seconds("soon") is None
    assert _seconds("Wed, 21 Oct 2015 07:28:00 GMT") == 0


@pytest.mark.parametrize("path", ["/nonsense", "/close"])
def test_what_is_no_answer_is_a_failure(receiver, path):
    assert PATIENT.post(receiver.url(path), b"{}", {}).ending == "unwell"


def test_nobody_listening_is_a_failure_that_names_no_address():
    answer = PATIENT.post(f"http://127.0.0.1:{closed_port()}/", b"{}", {})
    assert (answer.ending, answer.error) == ("unwell", "No connection: ECONNREFUSED.")


def test_a_private_address_is_never_connected_to(receiver):
    before = len(receiver.received)
    for reach in (Reach(), Reach(is_http_allowed=True)):
        assert Sender(reach).post(receiver.url("/in"), b"{}", {}).ending == "refused"
        named = Sender(reach, resolve=lambda *_: ["127.0.0.1"])
        answer = named.post(f"http{'' if reach.is_http_allowed else 's'}://hooks.example:{receiver.port}/", b"{}", {})
        assert answer.ending == "refused"
        assert "127" not in answer.error
    assert len(receiver.received) == before


def test_a_name_is_asked_for_once_and_the_connection_goes_to_what_it_said(receiver):
    asked = []

    def rebinding(host, _port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    answer = Sender(LOOPBACK, resolve=rebinding).post(receiver.url("/in", "hooks.example"), b"{}", {})
    assert answer.ending == "delivered"
    assert asked == ["hooks.example"]
    assert receiver.received[-1].headers["host"] == f"hooks.example:{receiver.port}"


def test_the_next_address_is_tried_where_the_first_does_not_answer(receiver):
    addresses = ["127.9.9.9", "127.0.0.1"]  # the receiver hears 127.0.0.1 alone
    answer = Sender(LOOPBACK, resolve=lambda *_: addresses).post(receiver.url("/in", "hooks.example"), b"{}", {})
    assert answer.ending == "delivered"


def test_a_resolver_that_hangs_is_given_up():
    never = threading.Event()
    answer = Sender(LOOPBACK, resolve=lambda *_: never.wait(5), connect_s=0.1).post("http://hooks.example/", b"{}", {})
    never.set()
    assert answer.ending == "unwell"


def test_a_name_without_an_address_is_a_failure():
    def unknown(*_):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    assert (
        Sender(LOOPBACK, resolve=unknown).post("http://hooks.example/", b"{}", {}).error == "The name has no address."
    )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "pair.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_tls_is_of_the_name_though_the_connection_is_to_the_address(certificate):
    asked, serving = [], ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    serving.sni_callback = lambda _socket, name, _context: asked.append(name)
    trusting = ssl.create_default_context(cafile=str(certificate))
    with receiving(serving) as secure:
        sender = Sender(LOOPBACK, resolve=lambda *_: ["127.0.0.1"], ssl_context=trusting)
        assert sender.post(secure.url("/in", "hooks.example"), b"{}", {}).ending == "delivered"
        assert asked == ["hooks.example"]
        other = sender.post(secure.url("/in", "other.example"), b"{}", {})
        assert other.ending == "unwell"
        assert other.error.startswith("Its certificate is not trusted: Hostname mismatch")
        doubting = Sender(LOOPBACK, resolve=lambda *_: ["127.0.0.1"])
        assert "certificate is not trusted" in doubting.post(secure.url("/in", "hooks.example"), b"{}", {}).error
        assert len(secure.received) == 1
