"""An authorization server, a service that takes its tokens, and a Holdfast of its own for each promise."""

import json
import os
import secrets

from authorization_server import AuthorizationServer, Resource
from control import ask
from holdfast import (CREDENTIAL, PRIVATE, PROXY_UID, PUBLIC, WORKLOAD_UID, Holdfast, Workspace, forward_config, hosts)
from ops import DOOR

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

    def config(self, source=None, bind='["dpop"]', because="", rule="", more="", task="required", workers=2, ttl="1h"):
        told = f"""credentials = {{
  crm = {{ owner = "crm@example"; approved_by = "iam@example"; ticket = "SEC-103"; rotate_every = "1h"; privileges = "read";
    source = {{ {source or self.source()} }}; }};"""
        inject = f"""
  {{ name = "nightly"; owner = "tests@example"; approved_by = "security@example"; ticket = "SEC-1";
    approved_at = "2026-11-01"; expires_at = "2099-01-01"; purposes = ["testing"]; task = "{task}"; ttl = "{ttl}";
    caller = {{ uid = {WORKLOAD_UID}; }};
    rules = ( {{ host = "api.test"; methods = ["GET", "POST"]; paths = ["/v1/**"]; upstream_trust = "{self.ws.ca.file}";
                credential = "crm"; bind = {bind}; inject = "always"; {because} {rule} }} ); }}"""
        inside = forward_config("", grants=inject, credentials=CREDENTIAL.replace("credentials = {", told), doors=DOOR,
                                names=hosts(api_test=PUBLIC, as_test=PRIVATE), more=more, workers=workers)
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
    since = h.mark()
    answer = get(h)
    line = h.wait_requests(n, since)[0]
    assert line["reason"] == reason, line
    return answer, line


def line_of(h, msg, since=0):
    return h.wait_line(lambda li: li.get("msg") == msg, since, what=msg)


def records(h, kind):
    path = f"{h.run}/ledger"
    found = []
    for name in sorted(os.listdir(path)):
        if name.startswith("ledger") or name.endswith(".jsonl") or name[0].isdigit():
            with open(os.path.join(path, name), encoding="utf-8") as f:
                found += [r for r in (json.loads(line) for line in f if line.endswith("\n")) if r.get("kind") == kind]
    return found


def stop(h):
    """It ends well, and no secret of this scene stands in what it wrote."""
    h.stop()
    assert not s.server.faults, s.server.faults
    written = "\n".join(h.text)
    for secret in [SECRET, SECRET.split(":")[0], *(t.value for t in s.server.tokens), *s.server.refresh_tokens]:
        assert secret not in written, "a secret stands in the log"


# ---- what the server may be told to say

def says(body, status=200, fields=(("Content-Type", "application/json"),)):
    def answer(connection, request, form):
        del request, form
        connection.reply(status, body if isinstance(body, (str, bytes)) else json.dumps(body), list(fields))
        return True
    return answer


def says_nothing(connection, request, form):
    del request, form
    connection.read()                           # until the other end gives up
    return True
