"""The theft matrix. A service that leaks writes down all that it is sent; a thief takes it and tries it elsewhere, twice, for another
request, with his own key, late, through a sidecar of his own. Each cell is what the gate says, or that nothing in the binding
stands in the way (thefts.py, and docs/BINDINGS.md has the same table)."""

import json
import mmap
import os
import struct
import subprocess
import time

import jose
import thief
from as_peer import FOLDER, Provider, client, judged, needs
from client_certs import Clients, Kept, asking
from control import life
from holdfast import (ADDRESSES, CREDENTIAL, OTHER_UID, PROXY_UID, PUBLIC, PUBLIC2, WORKLOAD_UID, Holdfast, Origin, Skip,
                      Workspace, forward_config, hosts, main, own_network, rows, skip_file)
from thefts import BINDINGS, PASSES, STRANGERS, THEFTS

GATES = {f"{binding}.{name}": f"20.0.{net}.{i}" for net, name in ((1, "orders.test"), (2, "other.test"))
         for i, binding in enumerate(BINDINGS, 1)}
own_network([*ADDRESSES, *GATES.values()])
try:
    needs("oidc-provider")
except Skip as why:
    skip_file(why)

LATE_S, LATE_PORT = 120, 8443
AUDIENCE = "https://orders.test/"


class Late(Holdfast):
    """Its clock is ahead, by as long as the thief has waited."""

    def __init__(self, ws, text, name):
        path = ws.file(name + ".step", struct.pack("q", LATE_S) + b"\0" * (mmap.PAGESIZE - 8))
        super().__init__(ws, text, name=name, env={
            "LD_PRELOAD": os.environ["HOLDFAST_CLOCK_STEP"], "CLOCK_STEP_FILE": path,
            "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0:verify_asan_link_order=0"})


class Scene:
    """The workload asks https://BINDING.orders.test, which leaks; the gates of those names, and of BINDING.other.test, are elsewhere:
    what the thief brings them they have not seen."""

    def __init__(self):
        self.ws = Workspace()
        self.ws.directory("secrets")
        self.secret = "of-everybody-who-has-it-0123456789"
        self.thief = jose.Key()
        self.clients = Clients(self.ws)
        self.pair, self.thiefs_pair = self.clients.make("agent.client"), self.clients.make("thief.client")
        self.kept = Kept(self.ws, "agent", self.pair)
        self.server = self.serve()
        leaf = self.ws.leaf(*GATES)
        os.chown(leaf.key, PROXY_UID, PROXY_UID)
        self.leaf = leaf
        self.leaky = Origin(PUBLIC, 443, leaf)
        self.leaky._context = asking(leaf, self.clients)
        self.boards = [Origin(GATES[f"bearer.{name}"], 443, leaf, answer=self.take_anybody) for name in ("orders.test", "other.test")]
        self.service = Origin("127.0.0.1", 0)
        self.sidecar = Holdfast(self.ws, self.sidecar_config(), name="sidecar")
        with open(self.sidecar.jwks, encoding="ascii") as f:
            self.published = json.load(f)
        self.jwks = self.ws.file("prod.jwks.json", json.dumps(self.published))
        self.keys = self.ws.file("as.jwks.json", self.server.ask("GET", "/jwks").body)
        self.gate = Holdfast(self.ws, self.gate_config(), name="gate")
        self.late = Late(self.ws, self.gate_config(port=LATE_PORT), name="late")
        self.thiefs_sidecar = Holdfast(self.ws, self.thiefs_config(), name="thiefs")

    def serve(self):
        clients = [client("agent", client_secret="of-the-agent"),
                   client("own", "self_signed_tls_client_auth", tls_client_certificate_bound_access_tokens=True,
                          jwks={"keys": [jose.certificate_jwk(self.pair.certificate)]})]
        return Provider(self.ws, PUBLIC2, "as.test", clients, {AUDIENCE: "jwt"}, clients_ca=self.clients.file)

    def take_anybody(self, connection, request):
        connection.read_body(request)
        right = request.get("authorization") == f"Bearer {self.secret}"
        connection.reply(200 if right else 401, "welcome" if right else "who?")

    # ---- configs

    def file(self, name, content):
        return self.ws.file(f"secrets/{name}", content, mode=0o400, owner=PROXY_UID)

    def credentials(self):
        oauth = (f'kind = "oauth"; token_endpoint = "https://as.test/token"; trust = "{self.ws.ca.file}"; '
                 f'resource = ["{AUDIENCE}"]; scope = "orders:write";')
        secret = f'client_id = "agent"; client_auth = "client_secret_basic"; client_secret = "{self.file("agent", "of-the-agent")}";'
        sources = {"dpop": f"{oauth} {secret}",
                   "mtls": f'{oauth} client_id = "own"; client_auth = "mtls"; client_certificate = "pair";',
                   "bearer": f'kind = "file"; path = "{self.file("bearer", self.secret)}";'}
        told = "".join(f"""
  {name} = {{ owner = "crm@example"; approved_by = "iam@example"; ticket = "SEC-103"; rotate_every = "1h"; privileges = "all";
    source = {{ {source} }}; }};""" for name, source in sources.items())
        return CREDENTIAL.replace("credentials = {", "credentials = {" + told + self.kept.credential("pair"))

    def sidecar_config(self):
        def rule(binding):
            credential = binding if binding in ("dpop", "mtls", "bearer") else "orders"
            because = 'unbound_because = "it takes nothing else";' if binding == "bearer" else ""
            return (f'{{ host = "{binding}.orders.test"; methods = "any"; paths = "any"; upstream_trust = "{self.ws.ca.file}"; '
                    f'credential = "{credential}"; bind = ["{binding}"]; inject = "always"; {because} }}')
        grant = f"""
  {{ name = "nightly"; owner = "tests@example"; approved_by = "security@example"; ticket = "SEC-1";
    approved_at = "2026-11-01"; expires_at = "2099-01-01"; purposes = ["testing"]; task = "required"; ttl = "1h";
    caller = {{ uid = {WORKLOAD_UID}; }}; rules = ( {", ".join(rule(b) for b in BINDINGS)} ); }}"""
        names = {f"{binding}_orders_test": PUBLIC for binding in BINDINGS}
        inside = forward_config("", grants=grant, credentials=self.credentials(), names=hosts(as_test=PUBLIC2, **names))
        return lambda h: inside(h) + f'control = {{ socket = "{h.run}/control.sock"; }};\n'

    def door(self, name, address):
        issuers = f'issuers = ( {{ issuer = "https://as.test"; audience = "{AUDIENCE}"; jwks_file = "{self.keys}"; }} );'
        trust = f'trust = ( {{ domain = "prod.example"; jwks_file = "{self.jwks}"; subjects = ["spiffe://prod.example/*"]; }} );'
        binding = name.partition(".")[0]
        more = {"dpop": issuers, "mtls": f'{issuers} clients_trust = "{self.clients.file}";'}.get(binding, trust)
        return f"""{{ kind = "gate"; listen = "{address}"; certificate = "{self.leaf.certificate}"; key = "{self.leaf.key}";
    names = ["https://{name}"]; upstream = "http://127.0.0.1:{self.service.port}"; accept = ["{binding}"]; {more}
    rules = ( {{ methods = "any"; paths = "any"; subjects = "any"; grants = "any"; purposes = "any"; }} ); }}"""

    def gate_config(self, port=443):
        doors = [self.door(name, f"{address}:{port}") for name, address in GATES.items() if not name.startswith("bearer")]
        return f'user = "{PROXY_UID}";\nworkers = 1;\ndoors = ( {", ".join(doors)} );\n'

    def thiefs_config(self):
        rules = [f'{{ host = "{name}"; methods = "any"; paths = "any"; upstream_trust = "{self.ws.ca.file}"; }}' for name in GATES]
        return forward_config(", ".join(rules), names=hosts(**{n.replace(".", "_"): a for n, a in GATES.items()}),
                              workload_uid=OTHER_UID, caller=f"{{ uid = {OTHER_UID}; }}")

    # ---- the two sides

    def steal(self, binding):
        """What the service of one request of a task was sent; the task is over by then."""
        with life(self.sidecar.run + "/control.sock", "nightly"):
            done = self.sidecar.get("/orders/7?tenant=7", f"{binding}.orders.test:443", method="POST", body=b'{"item":1}')
            assert done.status == 200, (done.status, done.body)
        return thief.Loot(self.leaky.requests[-1], f"{binding}.orders.test")

    def verdict(self, binding, answer):
        """What came of it, in the table's words."""
        if answer.status == 200:
            return PASSES
        return "refused" if binding == "bearer" else answer.reason

    def send(self, binding, loot, port=443, **more):
        return self.verdict(binding, loot.send((GATES[loot.host], port), self.ws.ca.file, **more))

    def end(self):
        for h in (self.sidecar, self.gate, self.late, self.thiefs_sidecar):
            h.stop()
        self.ws.remove()


s = Scene()
PROOFS = {"httpsig": ("signature", "signature-input"), "dpop": ("dpop",), "wimse": ("workload-proof-token",)}
FORGERS = {"httpsig": thief.own_signature, "dpop": thief.own_dpop, "wimse": thief.own_wpt}


# ---- what the thief makes of it

def other_host(binding, loot):
    loot.host = f"{binding}.other.test"


def other_path(_, loot):
    loot.path = "/orders/8"


def other_method(_, loot):
    loot.method = "PUT"


def other_query(_, loot):
    loot.query = "?tenant=8"


def other_body(_, loot):
    loot.body = b'{"item":2}'


def without_proof(binding, loot):
    loot.without(*PROOFS.get(binding, ()))


def own_key(binding, loot):
    if binding in FORGERS:
        FORGERS[binding](loot, s.thief)


def other_task(binding, loot):
    other = s.steal(binding)
    for name in PROOFS.get(binding, ()):
        loot.put(name, other.get(name))


CHANGES = {
    "at another service": other_host, "at another path": other_path, "with another method": other_method,
    "with another query": other_query, "with another body": other_body, "without its proof": without_proof,
    "with a proof by the thief's own key": own_key, "with the proof of another task": other_task,
}


# ---- and where he takes it

def again(binding, loot):
    s.send(binding, loot)
    return s.send(binding, loot)


def with_own_certificate(binding, loot):
    return s.send(binding, loot, pair=s.thiefs_pair)


def late(binding, loot):
    return s.send(binding, loot, port=443 if binding == "bearer" else LATE_PORT)


def own_sidecar(binding, loot):
    with s.thiefs_sidecar.tls(f"{loot.host}:443", uid=OTHER_UID) as c:
        return s.verdict(binding, c.request(loot.method, loot.path + loot.query, loot.host, loot.fields, loot.body))


SENDINGS = {
    "the same again": again, "two minutes later": late, "with a proof by the thief's own key": with_own_certificate,
    "through the thief's own sidecar": own_sidecar,
}


def stolen(binding, theft):
    loot = s.steal(binding)
    if theft in CHANGES:
        CHANGES[theft](binding, loot)
    return loot


@rows([(f"{binding}: {theft}", binding, theft, cells[i]) for theft, cells in THEFTS.items() for i, binding in enumerate(BINDINGS)])
def what_was_stolen_is_worth_what_the_table_says(case):
    _, binding, theft, expected = case
    seen = len(s.service.requests)
    found = SENDINGS.get(theft, s.send)(binding, stolen(binding, theft))
    assert found == expected, found
    passed = len(s.service.requests) - seen
    first = theft == "the same again" and binding in PROOFS         # nobody had seen it before
    assert passed == (0 if binding == "bearer" else first or found == PASSES), passed


@rows([(binding,) for binding in PROOFS])
def what_was_spent_is_worth_nothing_whatever_it_does_not_cover(case):
    """Where a service has answered, its gate has seen the proof."""
    loot = s.steal(case[0])
    assert s.send(case[0], loot) == PASSES
    for change in (other_query, other_body):
        change(case[0], loot)
        assert s.send(case[0], loot) != PASSES


# ---- verifiers by other hands, who remember nothing

def by_oauth4webapi(loots, now):
    return [v["ok"] for v in judged(s.server, AUDIENCE, [
        {"now": int(now), "method": loot.method, "url": loot.url + loot.query, "authorization": loot.get("authorization"),
         "dpop": loot.get("dpop")} for loot in loots])]


def asked(script, *words, **doc):
    done = subprocess.run([*needs("jose", "http-message-signatures"), os.path.join(FOLDER, script), *words],
                          input=json.dumps(doc).encode(), capture_output=True, check=False, timeout=300)
    return json.loads(done.stdout)["ok"]


def by_jose(loots, now):
    for loot in loots:
        wit, wpt = loot.get("workload-identity-token"), loot.get("workload-proof-token")
        claims = jose.parts(wit)[1]
        yield wpt is not None and asked("verify_wimse.mjs", now=int(now), jwks=s.published, wit=wit, wpt=wpt, issuer=claims["iss"],
                                        subject=claims["sub"], audience=loot.url, method=loot.method, query=loot.query[1:],
                                        body=loot.body.decode(), context=claims[jose.CONTEXT])


def by_two_of_rfc9421(loots, now):
    covers = ["@method", "@request-target", "content-digest", "workload-identity-token"]
    for loot in loots:
        jwk = jose.parts(loot.get("workload-identity-token"))[1]["cnf"]["jwk"]
        yield loot.get("signature") is not None and asked(
            "signatures.mjs", "verify", now=int(now), method=loot.method, url=loot.url + loot.query, target=loot.path + loot.query,
            fields=loot.fields, body=loot.body.decode(), jwk=jwk, covers=covers)


VERIFIERS = {"httpsig": by_two_of_rfc9421, "dpop": by_oauth4webapi, "wimse": by_jose}


@rows([(binding,) for binding in VERIFIERS])
def a_strangers_verifier_says_the_same_of_what_the_format_covers(case):
    binding = case[0]
    thefts = [theft for theft in STRANGERS if theft != "two minutes later"]
    verdicts = dict(zip(thefts, VERIFIERS[binding]([stolen(binding, theft) for theft in thefts], time.time()), strict=True))
    (verdicts["two minutes later"],) = VERIFIERS[binding]([s.steal(binding)], time.time() + LATE_S)
    wanted = {theft: takes[tuple(VERIFIERS).index(binding)] for theft, takes in STRANGERS.items()}
    assert verdicts == wanted, {t: v for t, v in verdicts.items() if v != wanted[t]}


if __name__ == "__main__":
    main(s.end)
