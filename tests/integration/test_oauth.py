"""Access tokens from an authorization server, got for each task: how they are asked for, bound, used, kept fresh, refused
and taken back; and what becomes of requests when the server misbehaves."""

import json
import secrets
import threading

from authorization_server import AuthorizationServer, Refused, Resource
from control import ask
from holdfast import (ADDRESSES, CREDENTIAL, PRIVATE, PROXY_UID, PUBLIC, PUBLIC2, WORKLOAD_UID, Holdfast, Workspace, at_end,
                      forward_config, hosts, main, own_network, promise, rows)
from ops import DOOR, Page
from patience import until

own_network(ADDRESSES)
SECRET = "s3cr+t/ of:the client%" + secrets.token_hex(8)
numbers = iter(range(1000))


class Scene:
    """An authorization server at as.test, a service at api.test; a Holdfast of its own for each promise."""

    def __init__(self):
        self.ws = Workspace()
        self.ws.directory("secrets")
        self.secret = self.file("client-secret", SECRET)
        self.server = self.service = None
        self.standing = []

    def file(self, name, content):
        return self.ws.file(f"secrets/{name}", content, mode=0o400, owner=PROXY_UID)

    def source(self, more="", auth=None, grant=""):
        told = auth if auth is not None else f'client_auth = "client_secret_basic"; client_secret = "{self.secret}";'
        return (f'kind = "oauth"; token_endpoint = "https://as.test/token"; revocation_endpoint = "https://as.test/revoke"; '
                f'trust = "{self.ws.ca.file}"; client_id = "agent:7%"; {told} {grant} {more}')

    def config(self, source=None, bind='["dpop"]', because="", rule="", more="", task="required"):
        told = f"""credentials = {{
  crm = {{ owner = "crm@example"; approved_by = "iam@example"; ticket = "SEC-103"; rotate_every = "1h"; privileges = "read";
    source = {{ {source or self.source()} }}; }};"""
        inject = f"""
  {{ name = "nightly"; owner = "tests@example"; approved_by = "security@example"; ticket = "SEC-1";
    approved_at = "2026-11-01"; expires_at = "2099-01-01"; purposes = ["testing"]; task = "{task}"; ttl = "1h";
    caller = {{ uid = {WORKLOAD_UID}; }};
    rules = ( {{ host = "api.test"; methods = ["GET", "POST"]; paths = ["/v1/**"]; upstream_trust = "{self.ws.ca.file}";
                credential = "crm"; bind = {bind}; inject = "always"; {because} {rule} }} ); }}"""
        inside = forward_config("", grants=inject, credentials=CREDENTIAL.replace("credentials = {", told), doors=DOOR,
                                names=hosts(api_test=PUBLIC, as_test=PRIVATE), more=more)
        return lambda h: inside(h) + f'control = {{ socket = "{h.run}/control.sock"; }};\n'

    def start(self, config=None, **changed):
        for one in self.standing:
            one.stop()
        self.server = AuthorizationServer(PRIVATE, self.ws.leaf("as.test"))
        self.server.clients["agent:7%"] = SECRET
        self.service = Resource(self.server, PUBLIC, self.ws.leaf("api.test"))
        self.standing = [self.server, self.service]
        return Holdfast(self.ws, config or self.config(**changed), name=f"h{next(numbers)}")

    def end(self):
        self.ws.remove()


s = Scene()


def verb(h, name, **members):
    return ask(h.run + "/control.sock", name, **members)


def begin(h):
    answer = verb(h, "task_start", grant="nightly")
    assert answer["ok"], answer
    return answer["id"]


def get(h, path="/v1/x", method="GET", body=None, fields=()):
    return h.get(path, target="api.test:443", method=method, body=body, fields=fields)


def refusal(h, reason, n=1):
    since = h.index()
    answer = get(h)
    line = h.wait_requests(n, since)[0]
    assert line["reason"] == reason, line
    return answer, line


def line_of(h, msg, since=0):
    return h.wait_line(lambda li: li.get("msg") == msg, since, what=msg)


def records(h, kind):
    path = f"{h.run}/ledger"
    import os
    found = []
    for name in sorted(os.listdir(path)):
        if name.startswith("ledger") or name.endswith(".jsonl") or name[0].isdigit():
            with open(os.path.join(path, name), encoding="utf-8") as f:
                found += [r for r in map(json.loads, f) if r.get("kind") == kind]
    return found


def stop(h):
    """It ends well, and no secret of this scene stands in what it wrote."""
    h.stop()
    assert not s.server.faults, s.server.faults
    written = "\n".join(h.text)
    for secret in [SECRET, SECRET.split(":")[0], *(t.value for t in s.server.tokens), *s.server.refresh_tokens]:
        assert secret not in written, "a secret stands in the log"


# ---- the whole way

@promise
def a_token_is_got_for_the_task_bound_to_its_key_and_taken_back_at_its_end():
    h = s.start()
    task = begin(h)
    answers = [get(h, f"/v1/{i}?q={i}") for i in range(3)]
    assert [a.status for a in answers] == [200] * 3, [(a.status, a.body) for a in answers]
    (token,) = s.server.tokens
    assert {shown for shown in s.service.shown} == {(token.value, token.jkt)}
    (form,) = s.server.asked
    assert form == {"grant_type": ["client_credentials"]}, form
    lines = h.wait_requests(3)
    assert {(li["binding"], li["key"]) for li in lines} == {("dpop", token.jkt)}, lines
    assert len({li["proof"] for li in lines}) == 3
    minted = line_of(h, "token minted")
    assert (minted["credential"], minted["task"], minted["form"], minted["key"]) == ("crm", task, "dpop", token.jkt), minted
    over = verb(h, "task_end", id=task)
    assert over["ok"] and over["revocation"] == "revoked", over
    assert token.revoked.is_set() and s.server.revoked == [{"token": [token.value], "token_type_hint": ["access_token"]}]
    assert line_of(h, "token revoked")["tries"] == 1
    stop(h)


# ---- a server that misbehaves

def says(body, status=200, fields=(("Content-Type", "application/json"),)):
    def answer(connection, request, form):
        del request, form
        connection.reply(status, body if isinstance(body, (str, bytes)) else json.dumps(body), list(fields))
        return True
    return answer


def token(**changed):
    said = {"access_token": "at-" + "x" * 20, "token_type": "DPoP", "expires_in": 600, **changed}
    return says({k: v for k, v in said.items() if v is not None})


def says_nothing(connection, request, form):
    del request, form
    connection.read()                           # until the other end gives up
    return True


def drips(connection, request, form):
    del request, form
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n")
    while True:
        connection.send(b" ")
        threading.Event().wait(0.05)


def hangs_up(connection, request, form):
    del connection, request, form
    return True


def refuses(error, status=400):
    return says({"error": error, "error_description": f"{SECRET} is wrong"}, status)


HTML = (("Content-Type", "text/html"),)
AWAY = (("Location", "https://denied.test/token"), ("Content-Type", "application/json"))
QUICK = 'timeout = "2s";'

BAD = [
    ("refused", refuses("invalid_client", 401), "as_refused", {"status": 401, "error": "invalid_client"}),
    ("refused-in-its-own-words", refuses(SECRET), "as_refused", {"status": 400, "error": "other"}),
    ("refused-without-words", says("no", 403, HTML), "as_refused", {"status": 403}),
    ("unwell", says("oops", 500, HTML), "as_unreachable", {"status": 500}),
    ("too-busy", says({"error": "slow_down"}, 429), "as_unreachable", {"status": 429}),
    ("hangs-up", hangs_up, "as_unreachable", {"because": "upstream_closed"}),
    ("says-nothing", says_nothing, "as_timeout", {"because": "upstream_timeout"}),
    ("drips", drips, "as_timeout", {"because": "upstream_timeout"}),
    ("redirects", says({"access_token": "x" * 20, "token_type": "DPoP"}, 302, AWAY), "as_malformed", {"status": 302}),
    ("created", says({"access_token": "x" * 20, "token_type": "DPoP"}, 201), "as_malformed", {"status": 201}),
    ("garbage", says(b"\x00\xff{[", 200), "as_malformed", {"status": 200}),
    ("a-list", says([1, 2]), "as_malformed", {}),
    ("a-page", says("<html>", 200, HTML), "as_malformed", {}),
    ("right-but-called-text", says('{"access_token": "xyz", "token_type": "DPoP"}', 200, (("Content-Type", "text/plain"),)), "as_malformed", {}),
    ("twice-the-same-name", says('{"access_token": "a", "access_token": "b", "token_type": "DPoP"}'), "as_malformed", {}),
    ("huge", says(b'{"x":"' + b"x" * 100000 + b'"}'), "as_malformed", {"because": "answer_too_large"}),
    ("no-token", token(access_token=None), "as_malformed", {}),
    ("an-empty-token", token(access_token=""), "as_malformed", {}),
    ("a-number-for-a-token", token(access_token=7), "as_malformed", {}),
    ("a-token-with-a-line-end", token(access_token="good\r\nX-Evil: 1"), "as_malformed", {}),
    ("a-token-with-a-space", token(access_token="good bad"), "as_malformed", {}),
    ("a-token-with-a-comma", token(access_token="good,DPoP"), "as_malformed", {}),
    ("a-token-beyond-ascii", token(access_token="t\u00f6ken"), "as_malformed", {}),
    ("a-token-too-long", token(access_token="x" * 20000), "as_malformed", {}),
    ("no-type", token(token_type=None), "as_malformed", {}),
    ("another-type", token(token_type="N_A"), "as_malformed", {}),
    ("dead-at-birth", token(expires_in=0), "as_malformed", {}),
    ("a-negative-life", token(expires_in=-5), "as_malformed", {}),
    ("a-huge-life", token(expires_in=1e300), "as_malformed", {}),
    ("a-life-in-words", token(expires_in="an hour"), "as_malformed", {}),
    ("bearer", token(token_type="Bearer"), "token_unbound", {"status": 200}),
]


@promise
def a_server_that_misbehaves_gives_no_token_and_is_told_by_its_own_reason():
    h = s.start(source=s.source(QUICK))
    begin(h)
    for name, answer, reason, told in BAD:
        s.server.answer = answer
        told = {"reason": reason, **told}

        def is_told(line, told=told):
            return line.get("msg") == "token not minted" and all(line.get(k) == v for k, v in told.items())

        def refused():
            since = h.index()
            got = get(h)
            assert got.status in (502, 503, 504), (name, got.status, got.body)
            return any(is_told(li) for li in h.lines[since:])

        until(refused, what=f"{name}: {told}")
        h.reload()                              # nobody has to rest any more
    assert not s.service.origin.requests, "a request left without its token"
    s.server.answer = None
    until(lambda: get(h).status == 200, what="a token at last")
    stop(h)


if __name__ == "__main__":
    main(s.end)
