"""The service's certificate is always verified: a bad one is a 502 inside TLS, and not one byte of the request has left."""

import ssl

from cryptography.x509.oid import ExtendedKeyUsageOID

from holdfast import (ADDRESSES, PUBLIC2, Origin, Sidecar, main, own_network, promise, rows)
import certs

own_network(ADDRESSES)
CERTIFICATE, HANDSHAKE = (502, "upstream_certificate"), (502, "upstream_tls")
s = Sidecar()
ws = s.ws
OLD = {"maximum": ssl.TLSVersion.TLSv1_1, "minimum": ssl.TLSVersion.TLSv1, "ciphers": "ALL:@SECLEVEL=0"}
impostor = certs.Authority(ws.directory("impostor", 0), "services-ca")

# id, what the service shows, what becomes of it, more about the server
TABLE = [
    ("good", lambda n: ws.leaf(n), None, {}),
    ("wildcard", lambda n: ws.leaf("*.svc.test"), None, {}),
    ("tls-1-2", lambda n: ws.leaf(n), None, {"maximum": ssl.TLSVersion.TLSv1_2}),
    ("tls-1-3", lambda n: ws.leaf(n), None, {"minimum": ssl.TLSVersion.TLSv1_3}),
    ("expired", lambda n: ws.leaf(n, not_before=-10, not_after=-1), CERTIFICATE, {}),
    ("not-yet", lambda n: ws.leaf(n, not_before=2), CERTIFICATE, {}),
    ("wrong-name", lambda n: ws.leaf("other.test"), CERTIFICATE, {}),
    ("wildcard-too-deep", lambda n: ws.leaf("*.deeper.test"), CERTIFICATE, {}),
    ("address-only", lambda n: ws.leaf(PUBLIC2), CERTIFICATE, {}),
    ("name-only-in-the-subject", lambda n: ws.leaf(PUBLIC2, common=n), CERTIFICATE, {}),
    ("other-name-than-the-subject", lambda n: ws.leaf("other.test", common=n), CERTIFICATE, {}),
    ("unknown-ca", lambda n: ws.leaf(n, ca=ws.other_ca), CERTIFICATE, {}),
    ("impostor-ca", lambda n: ws.leaf(n, ca=impostor), CERTIFICATE, {}),
    ("for-clients-only", lambda n: ws.leaf(n, usage=ExtendedKeyUsageOID.CLIENT_AUTH), CERTIFICATE, {}),
    ("tls-1-1", lambda n: ws.leaf(n), HANDSHAKE, OLD),
    ("no-tls", lambda n: None, HANDSHAKE, {"greeting": b"SSH-2.0-OpenSSH_9\r\n"}),
    ("silent", lambda n: None, (504, "upstream_tls_timeout"), {}),
]
services = {row[0]: Origin(PUBLIC2, 8000 + i, row[1](row[0] + ".svc.test"), **row[3]) for i, row in enumerate(TABLE)}
RULES = ", ".join(s.rule(f"{name}.svc.test", more=f"port = {o.port};") for name, o in services.items())
HOSTS = "resolver = { hosts = ( " + ", ".join(
    f'{{ name = "{name}.svc.test"; addresses = ["{PUBLIC2}"]; }}' for name in [*services, "untold"]) + " ); };"
UNTOLD = s.rule("untold.svc.test", trust=False, more=f"port = {services['good'].port};")
assert s.h.reload(s.config(rules=RULES + ", " + UNTOLD, names=HOSTS,
                           limits='handshake_timeout = "1s"; connect_timeout = "1s";'))["msg"] == "config reloaded"


@rows(TABLE)
def what_the_service_shows_is_verified(row):
    name, _, refused, _ = row
    service = services[name]
    mark = s.h.mark()
    host = f"{name}.svc.test:{service.port}"
    with s.h.tls(host) as channel:
        answer = channel.request("POST", "/secret", host, body=b"secret")
    (line,) = s.h.wait_requests(1, mark)
    if refused is None:
        assert answer.status == 200 and len(service.requests) == 1, answer.line
        assert line["up"] == f"{PUBLIC2}:{service.port}", line
    else:
        assert (answer.status, answer.reason) == refused, (answer.line, answer.body)
        assert not service.requests and b"secret" not in service.raw(), "the request left"
        assert (line["status"], line["reason"]) == refused, line


@promise
def a_private_ca_counts_only_for_the_rule_that_names_it():
    host = f"untold.svc.test:{services['good'].port}"
    with s.h.tls(host) as channel:
        assert channel.request("GET", "/", host).reason == "upstream_certificate"


@promise
def a_refused_certificate_is_not_tried_without_verification():
    service = services["expired"]
    before = len(service.connections)
    host = f"expired.svc.test:{service.port}"
    with s.h.tls(host) as channel:
        assert channel.request("GET", "/", host).status == 502
    assert len(service.connections) - before <= 1


@promise
def a_service_that_is_not_there_is_a_502():
    gone = services["no-tls"]
    gone.stop()
    host = f"no-tls.svc.test:{gone.port}"
    with s.h.tls(host) as channel:
        answer = channel.request("GET", "/", host)
        assert (answer.status, answer.reason) == (502, "connect_failed"), answer.line


main(s.end)
