"""gRPC by two strangers on either side of Holdfast: every kind of call passes with its trailers, each call has a bound token that
the gate in front of the service verifies, and a refusal is one that gRPC understands."""

import json
import os

import h2_frames as h2
import jose
import strangers
from h2_origin import direct, tunnel
from h2_scene import WIT, WPT
from holdfast import (ADDRESSES, PRIVATE, PROXY_UID, PUBLIC, PUBLIC2, Holdfast, Origin, Skip, Workspace, by_size, forward_config, hosts,
                      main, own_network, promise, rows)

own_network(ADDRESSES)
ws = Workspace()
leaf = ws.leaf("js.test", "py.test", "tls-js.test", "tls-py.test")
os.chown(leaf.key, PROXY_UID, PROXY_UID)
MAKERS = {"js": strangers.grpc_js_service, "py": strangers.grpcio_service}
CALLERS = {"js": strangers.grpc_js, "py": strangers.grpcio}
PAIRS = [(f"{client}-{service}", client, service) for client in CALLERS for service in MAKERS]
MISSING, behind, tls = {}, {}, {}
for kind, make in MAKERS.items():
    try:        # in the clear behind the gate, and inside TLS of its own
        behind[kind], tls[kind] = make(ws, "127.0.0.1:0"), make(ws, f"{PRIVATE}:0", leaf)
    except Skip as why:
        MISSING[kind] = why

BOUND = 'credential = "orders"; bind = ["wimse"]; inject = "always";'
METHODS = ", ".join(f'"/calls.Calls/{m}"' for m in ("Once", "Gather", "Scatter", "Talk", "Fail", "Stay"))


def rule(host, more="", paths=METHODS, port=443):
    return (f'{{ host = "{host}"; port = {port}; methods = ["POST"]; paths = [{paths}]; upstream_trust = "{ws.ca.file}"; {more} }}')


old = Origin(PUBLIC2, 8443, ws.leaf("old.test"))
RULES = ", ".join([rule("js.test", BOUND), rule("py.test", BOUND), rule("narrow.test", BOUND, '"/calls.Calls/Once"'),
                   rule("old.test", port=8443)] +
                  [rule(f"tls-{k}.test", f'addresses = ["{PRIVATE}"];', port=service.port) for k, service in tls.items()])
NAMES = hosts(js_test=PUBLIC, py_test=PUBLIC2, tls__js_test=PRIVATE, tls__py_test=PRIVATE, old_test=PUBLIC2,
              narrow_test=PUBLIC).replace("tls..", "tls-")
sidecar = Holdfast(ws, forward_config(RULES, names=NAMES, limits='stream_idle = "1h";'), name="sidecar")
with open(sidecar.jwks, "rb") as f:
    JWKS = ws.file("prod.jwks.json", f.read())


def gate_door(name, address, service):
    return f"""{{ kind = "gate"; listen = "{address}:443"; certificate = "{leaf.certificate}"; key = "{leaf.key}";
    names = ["https://{name}"]; upstream = "http://127.0.0.1:{service.port}"; upstream_http = "2"; keep_proof = true;
    trust = ( {{ domain = "prod.example"; jwks_file = "{JWKS}"; subjects = ["spiffe://prod.example/ns/agents/*"]; }} );
    rules = ( {{ methods = ["POST"]; paths = ["/calls.Calls/*"]; subjects = "any"; grants = ["tests"]; purposes = ["testing"]; }} ); }}"""


PLACES = {"js": ("js.test", PUBLIC), "py": ("py.test", PUBLIC2)}
gate = Holdfast(ws, f"""
user = "{PROXY_UID}";
workers = 2;
limits = {{ stream_idle = "1h"; }};
doors = ( {", ".join(gate_door(*PLACES[k], service) for k, service in behind.items())} );
""", name="gate") if behind else None


def call(client, service, what, count=1, **told):
    """Through Holdfast and the gate: (what the client saw, the service)."""
    for kind in (client, service):
        if kind in MISSING:
            raise MISSING[kind]
    seen = CALLERS[client](ws, sidecar.proxy, sidecar.ca, f"{PLACES[service][0]}:443", what, count, **told)
    return seen, behind[service]


def marks(service):
    return sidecar.mark(), gate.mark(), len(behind[service].calls)


def proofs(lines):
    return [li["proof"] for li in lines]


def told_of(service, mark, n):
    """The three witnesses of n calls, who agree on each one's proof: what the service was told."""
    sent, taken = sidecar.wait_requests(n, mark[0]), gate.wait_requests(n, mark[1])
    assert len(set(proofs(sent))) == n and sorted(proofs(sent)) == sorted(proofs(taken)), (len(sent), len(taken))
    calls = behind[service].wait_calls(n, mark[2])
    assert sorted(jose.parts(c.tokens[1])[1]["jti"] for c in calls) == sorted(proofs(sent))
    assert {li["reason"] for li in sent + taken} == {"ok"}
    return calls


# ---- what passes

KINDS = [("Once", 1, 1, 1), ("Gather", 100, 1, 100), ("Scatter", 100, 100, 1), ("Talk", 100, 100, 100)]


@rows([(f"{pair[0]}-{kind[0]}", *pair[1:], *kind) for pair in PAIRS for kind in KINDS])
def every_kind_of_call_passes_with_its_trailers(row):
    _, client, service, what, count, notes, took = row
    mark = marks(service) if service in behind else None
    seen, _ = call(client, service, what, count, text="hello", x_own="mine", load=1000)
    assert (seen["ok"], seen["notes"], seen["inOrder"]) == (1, notes, True), seen
    assert seen["bytes"] == (0 if what == "Gather" else 1000 * notes), seen
    assert (seen["closing"]["x-closing"], seen["closing"]["x-closing-bin"]) == ("said at the end", [0, 1, 254, 255]), seen
    assert what != "Once" or seen["opening"]["x-opening"] == "said at the beginning", seen
    (told,) = told_of(service, mark, 1)
    assert (told["path"], told["took"], told.get("x-own")) == (f"/calls.Calls/{what}", took, "mine"), told.told


@rows(PAIRS)
def a_status_of_the_service_is_the_clients(row):
    _, client, service = row
    seen, _ = call(client, service, "Fail", text="not now: 100 % no, ä")
    assert (seen["codes"], seen["details"]) == ({"9": 1}, "not now: 100 % no, ä"), seen
    assert seen["closing"]["x-closing"] == "said at the end", seen


@rows(PAIRS)
def a_deadline_is_told_to_the_service_and_ends_the_call_there(row):
    _, client, service = row
    before = len(behind[service].calls) if service in behind else 0
    seen, there = call(client, service, "Stay", deadline_ms=1500)
    assert seen["codes"] == {"4": 1}, seen
    calls = there.wait(lambda all_: any(c.told.get("cancelled") for c in all_[before:]), "that it was cancelled")[before:]
    assert any(c.told.get("deadline") for c in calls), [c.told for c in calls]


@rows(PAIRS)
def a_long_conversation_passes_message_by_message(row):
    _, client, service = row
    n = by_size(1000, 10000)
    mark = marks(service) if service in behind else None
    seen, _ = call(client, service, "Talk", n)
    assert (seen["ok"], seen["notes"], seen["inOrder"]) == (1, n, True), seen
    (told,) = told_of(service, mark, 1)
    assert told["took"] == n


@rows(PAIRS)
def each_of_a_thousand_calls_has_a_bound_token_of_its_own(row):
    _, client, service = row
    n = by_size(200, 1000)
    mark = marks(service) if service in behind else None
    seen, _ = call(client, service, "Many", n)
    assert seen["ok"] == n and seen["codes"] == {"0": n}, seen
    calls = told_of(service, mark, n)
    with open(sidecar.jwks, encoding="ascii") as f:
        (authority,) = json.load(f)["keys"]
    for c in calls[:20] + calls[-20:]:
        wit, wpt = c.tokens
        claims = jose.parts(wit)[1]
        assert jose.verify(wit, authority) and jose.verify(wpt, claims["cnf"]["jwk"])
        assert jose.parts(wpt)[1]["aud"] == f"https://{PLACES[service][0]}/calls.Calls/Once"
        assert jose.parts(wpt)[1][jose.REQUEST]["method"] == "POST"


@rows([(f"{c}-{k}", c, k) for c in CALLERS for k in MAKERS])
def a_large_stream_comes_whole_from_a_service_inside_tls(row):
    _, client, service = row
    if client in MISSING or service in MISSING:
        raise MISSING.get(client) or MISSING[service]
    n, before = by_size(10, 100), len(tls[service].calls)
    seen = CALLERS[client](ws, sidecar.proxy, sidecar.ca, f"tls-{service}.test:{tls[service].port}", "Scatter", n, load=1 << 20)
    assert (seen["ok"], seen["notes"], seen["bytes"]) == (1, n, n << 20), seen
    (told,) = tls[service].wait_calls(1, before)
    assert told.get(WIT) is None and told.get(WPT) is None, "of this service nothing is signed"


# ---- what is refused

@rows([(c, c) for c in CALLERS])
def a_refusal_is_status_7_with_its_reason(row):
    _, client = row
    if client in MISSING:
        raise MISSING[client]
    for host, what, reason in (("narrow.test", "Fail", "path_not_allowed"), ("elsewhere.test", "Once", "host_not_allowed")):
        mark = sidecar.mark()
        seen = CALLERS[client](ws, sidecar.proxy, sidecar.ca, f"{host}:443", what)
        assert seen["codes"] == {"7": 1} and reason in seen["details"], seen
        assert sidecar.wait_requests(1, mark)[0]["reason"] == reason


@promise
def a_refusal_is_trailers_alone():
    with tunnel(sidecar, "narrow.test:443") as p:
        answer = p.request("POST", "/calls.Calls/Fail", "narrow.test", [("content-type", "application/grpc+proto"), ("te", "trailers")],
                           body=b"\0\0\0\0\0")
        answer.answer()
        assert (answer.status, answer.get("grpc-status"), answer.body, answer.trailers) == (200, "7", b"", []), answer.fields
        assert answer.get("content-type").startswith("application/grpc") and "path_not_allowed" in answer.get("grpc-message")
        other = p.request("POST", "/calls.Calls/Fail", "narrow.test", body=b"").answer()
        assert (other.status, other.reason) == (403, "path_not_allowed"), "who does not speak gRPC is told in HTTP's words"


@rows([(c, c) for c in CALLERS])
def a_service_that_speaks_only_http_1_is_not_asked(row):
    _, client = row
    if client in MISSING:
        raise MISSING[client]
    mark, before = sidecar.mark(), len(old.requests)
    seen = CALLERS[client](ws, sidecar.proxy, sidecar.ca, "old.test:8443", "Once")
    assert seen["ok"] == 0 and "0" not in seen["codes"], seen
    (line,) = sidecar.wait_requests(1, mark)
    assert line["reason"] in seen["details"] and line["reason"] != "ok" and len(old.requests) == before, (line, seen)


@promise
def the_gate_refuses_a_call_without_a_token_and_a_copied_one():
    kind = next(iter(behind), None)
    if kind is None:
        raise next(iter(MISSING.values()))
    name, address = PLACES[kind]
    call(kind, kind, "Once")
    wit, wpt = behind[kind].calls[-1].tokens
    with direct(address, 443, ws.ca.file, name) as p:
        grpc = [("content-type", "application/grpc"), ("te", "trailers")]
        for fields, reason in (([], "token_missing"), ([(WIT, wit)], "proof_missing"), ([(WIT, wit), (WPT, wpt)], "proof_replayed")):
            mark, before = gate.mark(), len(behind[kind].calls)
            answer = p.request("POST", "/calls.Calls/Once", name, grpc + fields, body=b"\0\0\0\0\0").answer()
            assert answer.get("grpc-status") == "16" and reason in answer.get("grpc-message"), answer.fields
            assert gate.wait_requests(1, mark)[0]["reason"] == reason and len(behind[kind].calls) == before


@promise
def a_cancelled_call_is_cancelled_at_the_service():
    kind = next(iter(behind), None)
    if kind is None:
        raise next(iter(MISSING.values()))
    name, there = PLACES[kind][0], behind[kind]
    before = len(there.calls)
    with tunnel(sidecar, f"{name}:443") as p:
        stream = p.request("POST", "/calls.Calls/Stay", name, [("content-type", "application/grpc"), ("te", "trailers")],
                           body=b"\0\0\0\0\0")
        there.wait(lambda calls: any(c.told.get("stays") for c in calls[before:]), "the call")
        stream.cancel(h2.CANCEL)
        there.wait(lambda calls: any(c.told.get("cancelled") for c in calls[before:]), "its end")
        p.ping()


def end():
    sidecar.stop()
    if gate:
        gate.stop()
    ws.remove()


main(end)
