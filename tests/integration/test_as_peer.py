"""Access tokens from a real authorization server, oidc-provider: got, bound, shown to a service that a real resource server's
judgement stands for (oauth4webapi), and dead when their task is over, as the server itself says."""

import os
import secrets
import time

import jose
from as_peer import DETAILS, Provider, client, judged, needs, row, token_of
from client_certs import Clients, Kept, asking, shown
from control import life
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives import serialization
from jwcrypto.jwk import JWK
from holdfast import (ADDRESSES, CREDENTIAL, PROXY_UID, PUBLIC, PUBLIC2, WORKLOAD_UID, Holdfast, Origin, Skip, Workspace,
                      forward_config, hosts, main, own_network, promise, rows, skip_file)

own_network(ADDRESSES)
try:
    needs("oidc-provider", "oauth4webapi")
except Skip as why:
    skip_file(why)

ISSUER, ORIGIN = "https://as.test", "https://api.test"
OPAQUE, JWT = f"{ORIGIN}/opaque", f"{ORIGIN}/jwt"
PURSE = "spiffe://prod.example/purse"
CLUSTER = "https://cluster.test"
KEYS = {"ES256": ec.generate_private_key(ec.SECP256R1()), "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        "RS256": rsa.generate_private_key(65537, 2048)}


def answer_quietly(connection, request):
    connection.read_body(request)
    request.shown = shown(connection.sock)
    connection.reply(200, "welcome")


class Scene:
    """The server at as.test, the service at api.test, and a credential for each way of asking: /NAME/** is bound by it."""

    def __init__(self):
        self.ws = Workspace()
        self.ws.directory("secrets")
        self.cluster = jose.Key("cluster")
        self.secret = "s3cr+t/of:the client%" + secrets.token_hex(8)
        self.clients = Clients(self.ws)
        self.pairs = {"purse": self.clients.make(PURSE), "own": self.clients.make("own.client")}
        self.kept = {name: Kept(self.ws, name, pair) for name, pair in self.pairs.items()}
        self.server = self.serve()
        self.service = Origin(PUBLIC, 443, self.ws.leaf("api.test"), answer=answer_quietly)
        self.service._context = asking(self.ws.leaf("api.test"), self.clients)
        self.h = Holdfast(self.ws, self.config())

    @staticmethod
    def pem(key):
        return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())

    def keyed_clients(self):
        """One that proves itself by each kind of key."""
        for alg, key in KEYS.items():
            jwk = JWK.from_pem(self.pem(key)).export_public(as_dict=True)
            yield client(alg, "private_key_jwt", jwks={"keys": [jwk | {"kid": f"key-{alg}", "alg": alg, "use": "sig"}]})

    def serve(self):
        x5c = jose.certificate_jwk(self.pairs["own"].certificate)
        clients = [*self.keyed_clients(), client("agent:7%", client_secret=self.secret),
                   client("post", "client_secret_post", client_secret=self.secret), client("rs", client_secret="of-the-resource-server"),
                   client("purse", "tls_client_auth", tls_client_auth_san_uri=PURSE, tls_client_certificate_bound_access_tokens=True),
                   client("own", "self_signed_tls_client_auth", jwks={"keys": [x5c]}, tls_client_certificate_bound_access_tokens=True)]
        subjects = {"issuer": CLUSTER, "jwks": {"keys": [self.cluster.jwk | {"kid": "cluster", "alg": "ES256"}]}}
        return Provider(self.ws, PUBLIC2, "as.test", clients, {OPAQUE: "opaque", JWT: "jwt"}, clients_ca=self.clients.file,
                        subjects=subjects)

    def file(self, name, content):
        return self.ws.file(f"secrets/{name}", content, mode=0o400, owner=PROXY_UID)

    def subject(self):
        now = int(time.time())
        claims = {"iss": CLUSTER, "sub": "system:serviceaccount:agents:builder", "aud": ISSUER, "iat": now, "exp": now + 3600}
        return self.cluster.sign({"alg": "ES256", "kid": "cluster"}, claims)

    def sources(self):
        secret = f'client_id = "agent:7%"; client_auth = "client_secret_basic"; client_secret = "{self.file("secret", self.secret)}";'
        post = f'client_id = "post"; client_auth = "client_secret_post"; client_secret = "{self.file("post", self.secret)}";'
        keyed = {alg: ("dpop", f'''client_id = "{alg}"; client_auth = "private_key_jwt"; client_key = "{self.file(alg, self.pem(key))}";
                  client_key_id = "key-{alg}"; issuer = "{ISSUER}";''') for alg, key in KEYS.items()}
        exchange = (f'{secret} grant_type = "token_exchange"; subject_token = "{self.file("subject", self.subject())}";')
        wrong = f'client_id = "agent:7%"; client_auth = "client_secret_post"; client_secret = "{self.file("wrong", "wrong-" + self.secret)}";'
        return {"secret": ("dpop", f'{secret} resource = ["{OPAQUE}"]; scope = "orders:write";'),
                "jwt": ("dpop", f'{secret} resource = ["{JWT}"]; scope = "orders:write orders:read"; authorization_details = "grant";'),
                "plain": ("bearer", f'{secret} resource = ["{OPAQUE}"];'),
                "ca": ("mtls", f'client_id = "purse"; client_auth = "mtls"; client_certificate = "purse"; resource = ["{OPAQUE}"];'),
                "self": ("mtls", f'client_id = "own"; client_auth = "mtls"; client_certificate = "own"; resource = ["{JWT}"];'),
                "exchange": ("dpop", exchange), "wrong": ("dpop", wrong), "post": ("dpop", post), **keyed}

    def config(self):
        told, rules = "".join(k.credential(n) for n, k in self.kept.items()), []
        for name, (bind, source) in self.sources().items():
            told += f"""
  c_{name} = {{ owner = "crm@example"; approved_by = "iam@example"; ticket = "SEC-103"; rotate_every = "1h"; privileges = "read";
    source = {{ kind = "oauth"; token_endpoint = "{ISSUER}/token"; revocation_endpoint = "{ISSUER}/token/revocation";
               trust = "{self.ws.ca.file}"; {source} }}; }};"""
            because = 'unbound_because = "to see the difference";' if bind == "bearer" else ""
            rules.append(f'{{ host = "api.test"; methods = "any"; paths = ["/{name}/**"]; upstream_trust = "{self.ws.ca.file}"; '
                         f'credential = "c_{name}"; bind = ["{bind}"]; inject = "always"; {because} }}')
        grant = f"""
  {{ name = "nightly"; owner = "tests@example"; approved_by = "security@example"; ticket = "SEC-1";
    approved_at = "2026-11-01"; expires_at = "2099-01-01"; purposes = ["testing"]; task = "required"; ttl = "1h";
    caller = {{ uid = {WORKLOAD_UID}; }}; rules = ( {", ".join(rules)} ); }}"""
        inside = forward_config("", grants=grant, credentials=CREDENTIAL.replace("credentials = {", "credentials = {" + told),
                                names=hosts(api_test=PUBLIC, as_test=PUBLIC2))
        return lambda h: inside(h) + f'control = {{ socket = "{h.run}/control.sock"; }};\n'

    def task(self):
        self.since = self.server.mark(), len(self.service.requests), self.h.index()
        return life(self.h.run + "/control.sock", "nightly")

    # ---- what happened in it

    def get(self, path, method="GET", body=None, status=200):
        answer = self.h.get(path, target="api.test:443", method=method, body=body)
        assert answer.status == status, (answer.status, answer.body, self.h.tail(4))
        return answer

    def asked(self):
        """What the service was asked in this task."""
        return self.service.requests[self.since[1]:]

    def told(self, msg):
        return self.h.wait_line(lambda li: li.get("msg") == msg, self.since[2], what=msg)

    def events(self, event, n=1):
        """What the server told of this kind, once it has told n."""
        def told(calls):
            return [c.told for c in calls[self.since[0]:] if c.told["event"] == event]
        found = told(self.server.wait(lambda calls: len(told(calls)) >= n, f"{n} times: {event}"))
        assert len(found) == n, found
        return found

    def introspect(self, token):
        return self.server.introspect(token, ("rs", "of-the-resource-server"))

    def end(self):
        self.h.stop()
        assert not self.server.events("fault"), self.server.events("fault")
        tokens = [token_of(r)[1] for r in self.service.requests]
        written = "\n".join(self.h.text) + "".join(open(os.path.join(self.h.run, "ledger", f), encoding="utf-8").read()
                                                    for f in os.listdir(os.path.join(self.h.run, "ledger")))
        for secret in (self.secret, *tokens):
            assert secret not in written, "a secret stands in the log or in the ledger"
        self.ws.remove()


s = Scene()


@promise
def a_token_bound_by_dpop_is_got_with_the_servers_nonce_and_dead_when_its_task_is_over():
    with s.task() as over:
        for i in range(3):
            s.get(f"/secret/{i}?q={i}")
        told = [token_of(r) for r in s.asked()]
        assert {scheme for scheme, _, _ in told} == {"DPoP"} and len({proof["jti"] for _, _, proof in told}) == 3
        (token,) = {token for _, token, _ in told}
        assert s.events("refused")[0]["error"] == "use_dpop_nonce" and s.events("granted")
        said, line = s.introspect(token), s.h.wait_requests(3, s.since[2])[0]
        assert said["active"] and said["token_type"] == "DPoP" and said["scope"] == "orders:write", said
        assert said["cnf"] == {"jkt": line["key"]} and line["binding"] == "dpop", (said, line)
        assert over()["revocation"] == "revoked", over()
        assert s.introspect(token) == {"active": False}
        assert s.events("revoked")[0]["client"] == "agent:7%"


@promise
def the_next_task_has_another_key_and_another_token():
    shown = []
    for _ in range(2):
        with s.task():
            s.get("/secret/x")
            token = token_of(s.asked()[0])[1]
            shown.append((token, s.introspect(token)["cnf"]["jkt"]))
    (first, _), (second, _) = shown
    assert len(set(shown)) == 2 and shown[0][1] != shown[1][1], shown
    assert not s.introspect(first)["active"] and not s.introspect(second)["active"]


ASKED = [("GET", "/jwt/orders/7", None), ("POST", "/jwt/orders?tenant=7&x=%2F", b"a=1"), ("DELETE", "/jwt/a/../b/./c", None),
         ("GET", "/jwt/%7Eme/%c3%a9%20x", None), ("PUT", "/jwt/a:b@c,d;e=f+g", b"x" * 5000), ("OPTIONS", "/jwt//x", None)]


@promise
def a_resource_server_takes_every_request_that_we_bind():
    with s.task():
        for method, path, body in ASKED:
            s.get(path, method, body)
        requests = s.asked()
        assert len(requests) == len(ASKED) and s.events("granted")
        for request, verdict in zip(requests, judged(s.server, JWT, [row(r, ORIGIN) for r in requests])):
            assert verdict["ok"], (request.method, request.target, verdict)
            claims = verdict["claims"]
            assert claims["client_id"] == "agent:7%" and claims["scope"] == "orders:write orders:read", claims
            (details,) = claims["authorization_details"]
            assert details["type"] == DETAILS, details


@promise
def a_resource_server_refuses_what_was_taken_from_another_request():
    with s.task():
        s.get("/jwt/a")
        s.get("/jwt/b", "POST", b"b")
        first, second = s.asked()
        table = [("as it was", row(first, ORIGIN), None), ("the other's proof", row(first, ORIGIN, dpop=second.get("dpop")), "htm mismatch"),
                 ("another path", row(first, ORIGIN, url=ORIGIN + "/jwt/c"), "htu mismatch"),
                 ("another method", row(first, ORIGIN, method="PUT"), "htm mismatch"),
                 ("another host", row(first, "https://other.test"), "htu mismatch"),
                 ("ten minutes later", row(first, ORIGIN, now=row(first, ORIGIN)["now"] + 590), "not recent"),
                 ("no proof", row(first, ORIGIN, dpop=None), "no DPoP HTTP Header"),
                 ("as a bearer", row(first, ORIGIN, dpop=None, authorization=f"Bearer {token_of(first)[1]}"), "no DPoP HTTP Header")]
        for (what, _, error), verdict in zip(table, judged(s.server, JWT, [r for _, r, _ in table])):
            assert verdict["ok"] == (error is None), (what, verdict)
            assert error is None or error in verdict["error"], (what, verdict)


@promise
def a_token_that_the_server_cannot_take_back_is_told_as_such():
    with s.task() as over:
        s.get("/jwt/x")
        assert over()["revocation"].startswith("failed"), over()      # it keeps nothing of a JWT, which is good until it expires
        assert s.events("not revoked")[0]["error"] == "unsupported_token_type"


@rows([(name,) for name in ("post", *KEYS)])
def a_client_proves_itself_as_it_is_registered(case):
    with s.task():
        s.get(f"/{case[0]}/x")
        assert s.events("granted")[0]["client"] == case[0]


MTLS = [("ca", "purse"), ("self", "own")]


@rows(MTLS)
def a_token_bound_to_a_certificate_is_shown_beside_it(case):
    name, pair = case
    with s.task() as over:
        s.get(f"/{name}/x")
        s.get(f"/{name}/y", "POST", b"y")
        assert [r.shown for r in s.asked()] == [s.pairs[pair].thumbprint] * 2
        (shown_token,) = {token_of(r)[:2] for r in s.asked()}
        scheme, token = shown_token
        assert scheme == "Bearer"
        claims = jose.parts(token)[1] if name == "self" else s.introspect(token)
        assert claims["cnf"] == {"x5t#S256": s.pairs[pair].thumbprint}, claims
        line = s.h.wait_requests(2, s.since[2])[0]
        assert (line["binding"], line["key"]) == ("mtls", s.pairs[pair].thumbprint), line
        if name == "ca":
            assert over()["revocation"] == "revoked" and s.introspect(token) == {"active": False}


@promise
def a_token_of_the_platform_is_exchanged_for_one_bound_to_the_task():
    with s.task() as over:
        s.get("/exchange/x")
        scheme, token, _ = token_of(s.asked()[0])
        said = s.introspect(token)
        assert scheme == "DPoP" and said["act"] == {"sub": "system:serviceaccount:agents:builder"}, said
        assert said["cnf"] == {"jkt": s.h.wait_requests(1, s.since[2])[0]["key"]}
        over()
        assert s.introspect(token) == {"active": False}


@promise
def a_bearer_token_dies_with_its_task_though_nothing_binds_it():
    with s.task() as over:
        s.get("/plain/x")
        scheme, token, proof = token_of(s.asked()[0])
        said = s.introspect(token)
        assert (scheme, proof) == ("Bearer", None) and said["active"] and "cnf" not in said, said
        over()
        assert s.introspect(token) == {"active": False}


@promise
def a_client_that_the_server_does_not_know_gets_nothing_and_the_service_is_not_asked():
    with s.task():
        answer = s.get("/wrong/x", status=502)
        assert answer.reason == "as_refused", answer.body
        assert not s.asked() and s.events("refused")[0]["error"] == "invalid_client"
        assert s.told("token not minted")["error"] == "invalid_client"


if __name__ == "__main__":
    main(s.end)
