"""What Holdfast knows in secret stands in nothing that it writes, and in nothing that another uid can read of its process. Every test of
the suite asks canary.py at its end; here it is shown that it would notice, and the process is looked at from outside."""

import base64
import contextlib
import os
import secrets

import canary
import jose
from authorization_server import AuthorizationServer, Resource
from control import life
from cryptography.hazmat.primitives import serialization
from holdfast import (ADDRESSES, CREDENTIAL, OTHER_UID, PRIVATE, PROXY_UID, PUBLIC, WORKLOAD_UID, Holdfast, Workspace, forward_config, hosts,
                      main, own_network, promise, run_as)
from ops import DOOR, ask
from patience import until

own_network(ADDRESSES)
ws = Workspace()
ws.directory("secrets")


def secret(name, value=None):
    value = value or f"{name}-{secrets.token_hex(16)}"
    return value, ws.file(f"secrets/{name}", value, mode=0o400, owner=PROXY_UID)


def pem(key):
    return key.private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                     serialization.NoEncryption()).decode()


class Scene:
    """A credential of each kind that has a secret, one task that used them, and nothing of it left but what was written."""

    def __init__(self):
        self.server = AuthorizationServer(PRIVATE, ws.leaf("as.test"))
        self.service = Resource(self.server, PUBLIC, ws.leaf("api.test"))
        self.known = {name: secret(name) for name in ("client", "refresh", "bearer")}
        self.known.update({name: secret(name, pem(jose.Key())) for name in ("signing-key",)})
        key = jose.Key()
        self.known["client-key"] = secret("client-key", pem(key))
        self.printed = "told-" + secrets.token_hex(16)
        _, self.answer = secret("answer", f'{{"token": "{self.printed}", "expires_in": 600}}')
        self.server.clients |= {"agent": self.known["client"][0], "keyed": key.jwk}
        self.server.refresh_tokens[self.known["refresh"][0]] = True
        self.h = Holdfast(ws, self.config())

    def path(self, name):
        return self.known[name][1]

    def config(self):
        oauth = f'kind = "oauth"; token_endpoint = "https://as.test/token"; trust = "{ws.ca.file}";'
        by_secret = f'client_id = "agent"; client_auth = "client_secret_post"; client_secret = "{self.path("client")}";'
        sources = {
            "fresh": ("dpop", f'{oauth} {by_secret} grant_type = "refresh_token"; refresh_token = "{self.path("refresh")}";'),
            "keyed": ("dpop", f'{oauth} client_id = "keyed"; client_auth = "private_key_jwt"; client_key = "{self.path("client-key")}";'),
            "signing": ("httpsig", f'kind = "key"; path = "{self.path("signing-key")}";'),
            "told": ("bearer", f'kind = "command"; command = ["/bin/cat", "{self.answer}"];'),
            "plain": ("bearer", f'kind = "file"; path = "{self.path("bearer")}";'),
        }
        told, rules = "", []
        for name, (bind, source) in sources.items():
            told += f"""
  {name} = {{ owner = "crm@example"; approved_by = "iam@example"; ticket = "SEC-103"; rotate_every = "1h"; privileges = "all";
    source = {{ {source} }}; }};"""
            because = 'unbound_because = "to see it";' if bind == "bearer" else ""
            rules.append(f'{{ host = "api.test"; methods = "any"; paths = ["/{name}/**"]; upstream_trust = "{ws.ca.file}"; '
                         f'credential = "{name}"; bind = ["{bind}"]; inject = "always"; {because} }}')
        grant = f"""
  {{ name = "nightly"; owner = "tests@example"; approved_by = "security@example"; ticket = "SEC-1"; approved_at = "2026-11-01";
    expires_at = "2099-01-01"; purposes = ["testing"]; task = "required"; ttl = "1h"; caller = {{ uid = {WORKLOAD_UID}; }};
    rules = ( {", ".join(rules)} ); }}"""
        inside = forward_config("", grants=grant, credentials=CREDENTIAL.replace("credentials = {", "credentials = {" + told),
                                names=hosts(api_test=PUBLIC, as_test=PRIVATE), log='log = { level = "debug"; };', doors=DOOR)
        return lambda h: inside(h) + f'control = {{ socket = "{h.run}/control.sock"; }};\n'


s = Scene()


@promise
def each_kind_of_secret_is_used_and_known_to_the_canaries():
    with life(s.h.run + "/control.sock", "nightly"):
        for name in ("fresh", "keyed", "signing", "told", "plain"):
            s.h.get(f"/{name}/x", target="api.test:443")
    lines = s.h.wait_requests(5)
    assert [li["binding"] for li in lines] == ["dpop", "dpop", "httpsig", "bearer", "bearer"] and len(s.server.tokens) == 2, lines
    ours = canary.secrets_of(s.h)
    for name, (value, _) in s.known.items():
        assert all(part in ours for part in canary.parts(value.encode())), name
    canary.assert_kept(s.h)
    page = ask(s.h, "/metrics")[1]
    assert not any(part.decode() in page for part in ours) and "holdfast_" in page


class Careless:
    """A Holdfast that wrote one line too many."""

    def __init__(self, h, line):
        self.text, self.run, self.publish, self.configs = [*h.text, line], h.run, h.publish, h.configs


@promise
def a_secret_in_the_log_would_be_noticed():
    values = [canary.parts(v.encode())[0].decode() for v, _ in s.known.values()] + [s.server.tokens[0].value]
    with open(os.path.join(s.h.run, "authority/authority.key"), "rb") as f:
        values.append(canary.parts(f.read())[0].decode())
    for value in values:
        try:
            canary.assert_kept(Careless(s.h, f'{{"msg":"got {value}"}}'))
        except AssertionError:
            continue
        raise AssertionError(f"{value[:8]}… was not noticed")


LOOK = """
import os, sys
wanted = [w.encode() for w in sys.stdin.read().split()]
read, found = [], []
for at, folders, names in os.walk(sys.argv[1], onerror=lambda e: None):
    for name in names:
        path = os.path.join(at, name)
        try:
            with open(path, "rb") as f:
                data = f.read(1 << 26)
        except OSError:
            continue
        read.append(name)
        found.extend(path for w in wanted if w in data)
print(len(read) > 0, found)
"""


@promise
def nothing_that_another_uid_reads_of_the_process_holds_a_secret():
    wanted = [p.decode() for v, _ in s.known.values() for p in canary.parts(v.encode())] + [t.value for t in s.server.tokens]
    for uid in (WORKLOAD_UID, OTHER_UID):
        done = run_as(uid, ["/usr/bin/python3", "-c", LOOK, f"/proc/{s.h.pid}"], input="\n".join(wanted).encode())
        assert done.returncode == 0 and done.stdout.decode().strip() == "True []", (done.stdout, done.stderr)


def memory_of(h):
    """All that the process and its helper can write to, as root reads it."""
    with open(f"/proc/{h.pid}/task/{h.pid}/children", encoding="ascii") as f:
        return b"".join(writable(pid) for pid in [h.pid, *f.read().split()])


def writable(pid):
    with open(f"/proc/{pid}/maps", encoding="ascii") as f:
        spans = [line.split()[0] for line in f if " rw" in line]
    found = []
    with open(f"/proc/{pid}/mem", "rb", 0) as f:
        for span in spans:
            first, last = (int(x, 16) for x in span.split("-"))
            f.seek(first)
            with contextlib.suppress(OSError):          # what the kernel alone may touch
                found.append(f.read(min(last - first, 1 << 28)))
    return b"".join(found)


@promise
def a_token_is_in_the_process_while_its_task_runs_and_no_longer():
    with life(s.h.run + "/control.sock", "nightly") as over:
        for i in range(8):
            assert s.h.get(f"/fresh/{i}", target="api.test:443").status == 200
            assert s.h.get(f"/keyed/{i}", target="api.test:443").status == 200
            s.h.get(f"/told/{i}", target="api.test:443")
        tokens = [t.value.encode() for t in s.server.tokens[-2:]] + [s.printed.encode()]
        memory = memory_of(s.h)
        assert all(t in memory for t in tokens), "the look finds nothing"
        over()
    memory = memory_of(s.h)
    assert not any(t.encode() in memory for t in [s.printed, *(t.value for t in s.server.tokens)]), "a token of a task that is over"


@promise
def what_a_server_was_sent_stands_where_the_vault_keeps_it_and_nowhere_else():
    """Form bodies, Basic fields, answers and what was copied on their way: each errand is wiped behind itself."""
    sent = [s.known["client"][0].encode(), base64.b64encode(b"agent:" + s.known["client"][0].encode()).rstrip(b"=")]
    before = [memory_of(s.h).count(secret) for secret in sent]
    with life(s.h.run + "/control.sock", "nightly") as over:
        for i in range(8):
            assert s.h.get(f"/fresh/{i}", target="api.test:443").status == 200
        over()
    shown = [form["refresh_token"][0].encode() for form in s.server.asked if "refresh_token" in form][1:]

    def is_wiped():                             # the last errand may be on its way still
        memory = memory_of(s.h)
        return [memory.count(secret) for secret in sent] == before and not any(token in memory for token in shown)
    assert before == [1, 0] and shown, (before, shown)
    until(is_wiped, what="nothing of it but what the vault keeps, and of refresh tokens the newest")


def end():
    s.h.stop()
    ws.remove()


if __name__ == "__main__":
    main(end)
