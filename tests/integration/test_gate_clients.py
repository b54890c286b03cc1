"""A gate that asks its clients for certificates: who shows a bad one is not served, who shows none goes on without; and what a
reload says of whom to trust holds for connections that are there already."""

import json
import os
import ssl

from cryptography.x509.oid import ExtendedKeyUsageOID

import jose
from client_certs import Clients
from holdfast import (ADDRESSES, Channel, Closed, Holdfast, OTHER_UID, Origin, PROXY_UID, PUBLIC, Workspace, connect, main,
                      own_network, promise, rows)

own_network(ADDRESSES)
ws = Workspace()
service = Origin("127.0.0.1", 0)
leaf = ws.leaf("orders.test")
os.chown(leaf.key, PROXY_UID, PROXY_UID)
JWKS = ws.file("jwks.json", json.dumps({"keys": [jose.Issuer().public_jwk]}))
clients, strangers = Clients(ws), Clients(ws, "strangers-ca")
both = ws.file("both.pem", open(strangers.file, "rb").read() + open(clients.file, "rb").read())
SPIFFE = "spiffe://prod.example/ns/agents/sa/builder"
VERSIONS = [("tls-1-2", ssl.TLSVersion.TLSv1_2), ("tls-1-3", None)]


def config(trusted):
    return f"""
user = "{PROXY_UID}";
workers = 2;
doors = ( {{ kind = "gate"; listen = "{PUBLIC}:443"; certificate = "{leaf.certificate}"; key = "{leaf.key}";
  names = ["https://orders.test"]; upstream = "http://127.0.0.1:{service.port}";
  accept = ["wimse", "mtls"]; clients_trust = "{trusted}";
  trust = ( {{ domain = "prod.example"; jwks_file = "{JWKS}"; subjects = ["spiffe://prod.example/ns/*"]; }} );
  rules = ( {{ methods = "any"; paths = "any"; subjects = "any"; grants = "any"; purposes = "any"; }} ); }} );
"""


gate = Holdfast(ws, config(clients.file), name="gate")


def context(client=None, maximum=None, alpn="http/1.1"):
    made = ssl.create_default_context(cafile=ws.ca.file)
    made.set_alpn_protocols([alpn])
    if client is not None:
        made.load_cert_chain(client.leaf.certificate, client.leaf.key)
    if maximum is not None:
        made.maximum_version = maximum
    return made


def shake(told):
    return Channel(connect(*gate.door("gate"), uid=OTHER_UID)).start_tls(told, "orders.test")


def ask(channel):
    return channel.request("GET", "/v1", "orders.test")


def is_heard(channel):
    """Whatever it is told of its request, it was not refused for its certificate."""
    answer = ask(channel)
    assert answer.reason != "client_certificate_untrusted", answer.body
    return True


def is_turned_away(told):
    """In the handshake, whichever side of it the client learns that on."""
    since = gate.index()
    try:
        with shake(told) as channel:
            ask(channel)
        return False
    except (Closed, OSError):
        line = gate.wait_for("connection", since=since)
        assert line["reason"] == "client_certificate_untrusted", line
        return True


# id, who made it and how
BAD = [
    ("of-a-stranger", lambda: strangers.make(SPIFFE)),
    ("expired", lambda: clients.make(SPIFFE, not_before=-3, not_after=-1)),
    ("not-yet", lambda: clients.make(SPIFFE, not_before=2)),
    ("for-servers-only", lambda: clients.make(SPIFFE, usage=ExtendedKeyUsageOID.SERVER_AUTH)),
]


@rows([(f"{name}-{version}", make, maximum) for name, make in BAD for version, maximum in VERSIONS])
def who_shows_a_bad_one_is_turned_away_in_the_handshake(row):
    assert is_turned_away(context(row[1](), row[2]))


@rows(VERSIONS)
def who_shows_a_good_one_or_none_is_heard(row):
    for client in (clients.make(SPIFFE), clients.make("builder.example"), None):
        with shake(context(client, row[1])) as channel:
            assert is_heard(channel) and is_heard(channel)


@promise
def who_was_verified_is_verified_again_by_each_connection():
    """No session stands in for a certificate; who showed none may resume."""
    for client, resumes in ((clients.make(SPIFFE), False), (None, True)):
        told = context(client)
        with shake(told) as channel:
            assert is_heard(channel)
            session = channel.sock.session
        channel = Channel(connect(*gate.door("gate"), uid=OTHER_UID))
        channel.sock = told.wrap_socket(channel.sock, server_hostname="orders.test",
                                        session=session if session and session.has_ticket else None)
        with channel:
            assert channel.sock.session_reused == resumes and is_heard(channel)


@promise
def a_reload_that_trusts_more_keeps_who_is_there():
    with shake(context(clients.make(SPIFFE))) as channel:
        assert is_heard(channel)
        assert gate.reload(config(both))["msg"] == "config reloaded"
        assert is_heard(channel)
    with shake(context(strangers.make(SPIFFE))) as channel:
        assert is_heard(channel)


@promise
def a_reload_that_trusts_less_ends_who_is_there():
    assert gate.reload(config(both))["msg"] == "config reloaded"
    with shake(context(clients.make(SPIFFE))) as of_clients, shake(context(strangers.make(SPIFFE))) as of_strangers, \
            shake(context()) as of_nobody:
        for channel in (of_clients, of_strangers, of_nobody):
            assert is_heard(channel)
        since = gate.mark()
        assert gate.reload(config(clients.file))["msg"] == "config reloaded"
        assert is_heard(of_clients) and is_heard(of_nobody)
        answer = ask(of_strangers)
        assert (answer.status, answer.reason) == (403, "client_certificate_untrusted"), answer.line
        assert of_strangers.is_closed()
        refused = [li for li in gate.wait_requests(3, since) if li["reason"] == "client_certificate_untrusted"]
        assert len(refused) == 1, refused


@promise
def a_file_that_holds_no_certificates_changes_nothing():
    line = gate.reload(config(ws.file("none.pem", "no certificate")))
    assert line["msg"] == "config rejected", line
    with shake(context(clients.make(SPIFFE))) as channel:
        assert is_heard(channel)


main(gate.stop)
