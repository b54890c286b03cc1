"""What ./demo tells of a service behind an authorization server: oidc-provider gives the tokens, a gate asks it what each is worth. Where
it is not installed, or there is no Node, the story says so and goes on without."""

import json
import os
import secrets

import jose
import thief
from as_peer import INTROSPECT, REVOKE, Provider, client, token_of
from holdfast import PROXY_UID, WORKLOAD_UID, Origin, Skip

IDP, BOOKS = "10.20.0.50", "10.20.0.60"
ADDRESSES = (IDP, BOOKS)
GRANT, PURPOSE = "close-the-books", "month-end"
NAME = "books.example"
ISSUER = "https://idp.example"


class Books:
    """The service, which leaks, its gate's door, and the authorization server."""

    def __init__(self, ws):
        self.ws, self.missing, self.service = ws, None, None
        self.agent, self.asker = secrets.token_hex(16), secrets.token_hex(16)
        try:
            self.idp = Provider(ws, IDP, "idp.example", [client("agent", client_secret=self.agent), client("gate", client_secret=self.asker)],
                                {f"https://{NAME}/": "opaque"})
        except Skip as why:
            self.missing = str(why)
            return
        self.service = Origin("127.0.0.1", 0, answer=lambda c, r: c.read_body(r) and None or c.reply(200, "balanced\n"))

    def secret(self, name, value):
        return self.ws.file(name, value, mode=0o400, owner=PROXY_UID)

    def hosts(self):
        return "" if self.missing else f', {{ name = "{NAME}"; addresses = ["{BOOKS}"]; }}, {{ name = "idp.example"; addresses = ["{IDP}"]; }}'

    def gate_hosts(self):
        return "" if self.missing else f'resolver = {{ hosts = ( {{ name = "idp.example"; addresses = ["{IDP}"]; }} ); }};'

    def credential(self):
        return "" if self.missing else f"""
  books = {{ owner = "finance@example"; approved_by = "iam@example"; ticket = "SEC-131"; rotate_every = "90d"; privileges = "close a month";
    source = {{ kind = "oauth"; token_endpoint = "{ISSUER}/token"; revocation_endpoint = "{ISSUER}{REVOKE}"; trust = "{self.ws.ca.file}";
      client_id = "agent"; client_auth = "client_secret_basic"; client_secret = "{self.secret("idp-secret", self.agent)}";
      resource = ["https://{NAME}/"]; scope = "orders:write"; }}; }};"""

    def grant(self, trust):
        return "" if self.missing else f""",
  {{ name = "{GRANT}"; owner = "finance@example"; approved_by = "security@example"; ticket = "SEC-132";
    approved_at = "2026-11-01"; expires_at = "2099-01-01"; purposes = ["{PURPOSE}"]; task = "required"; ttl = "15m";
    caller = {{ uid = {WORKLOAD_UID}; }};
    rules = ( {{ host = "{NAME}"; methods = ["GET", "POST"]; paths = ["/v1/**"]; credential = "books"; bind = ["dpop"]; inject = "always";
                addresses = ["{BOOKS}"]; {trust} }} ); }}"""

    def door(self):
        if self.missing:
            return ""
        leaf = self.ws.leaf(NAME)
        os.chown(leaf.key, PROXY_UID, PROXY_UID)
        return f""",
  {{ kind = "gate"; listen = "{BOOKS}:443"; certificate = "{leaf.certificate}"; key = "{leaf.key}"; keep_proof = true;
    names = ["https://{NAME}"]; upstream = "http://127.0.0.1:{self.service.port}"; accept = ["dpop"];
    issuers = ( {{ issuer = "{ISSUER}"; audience = "https://{NAME}/"; trust = "{self.ws.ca.file}";
                  introspection = {{ url = "{ISSUER}{INTROSPECT}"; client_id = "gate"; cache = "0ms";
                                    client_secret = "{self.secret("gate-secret", self.asker)}"; }}; }} );
    rules = ( {{ methods = "any"; paths = ["/v1/**"]; subjects = "any"; grants = "any"; purposes = "any"; scopes = ["orders:write"]; }} ); }}"""

    def ask(self, token):
        return self.idp.introspect(token, ("gate", self.asker))

    def thief(self, loot):
        """Somebody elsewhere, who has read the service's record: straight to the gate."""
        return loot.send((BOOKS, 443), self.ws.ca.file)


def bound_token(story, stage):
    story.next("A service behind an authorization server: the task has a token of its own, bound to a key of its own")
    books = stage.books
    if books.missing:
        return story.leave_out(books.missing)
    command = books.command = stage.command(GRANT, PURPOSE)
    said = command.run(f"curl -sS --max-time 60 https://{NAME}/v1/close?month=11")
    story.check(said == "balanced", f"curl https://{NAME}/v1/close?month=11  ->  {said}")
    told = books.idp.wait(lambda calls: any(c.told["event"] == "granted" for c in calls), "of a token")
    story.check([c.told.get("error", c.told["event"]) for c in told] == ["use_dpop_nonce", "granted"],
                "the server (oidc-provider) asked for a proof with its nonce, and gave one token")
    scheme, token, proof = token_of(books.service.requests[-1])
    sent, taken = (h.wait_line(lambda li: li.get("path") == "/v1/close", what="the request") for h in (stage.sidecar, stage.gate))
    story.check(scheme == "DPoP" and sent["proof"] == taken["proof"] == proof["jti"],
                f"the service got it with a proof for {proof['htm']} {proof['htu']}, which sidecar and gate tell of")
    said = books.ask(token)
    story.check(said["active"] and said["cnf"] == {"jkt": sent["key"]}, f"the server says of it: active, bound to {sent['key'][:16]}…")


def stolen_token(story, stage):
    story.next("A thief copies token and proof; the task ends, and so does the token")
    books = stage.books
    if books.missing:
        return story.leave_out(books.missing)
    request, served = books.service.requests[-1], len(books.service.requests)
    token = token_of(request)[1]
    bearer, forged = (thief.Loot(request, NAME) for _ in range(2))
    bearer.without("dpop")
    bearer.put("authorization", f"Bearer {token}")
    thief.own_dpop(forged, jose.Key())
    for what, reason, loot in (("the same request again", "proof_replayed", thief.Loot(request, NAME)),
                               ("the token without a proof", "token_bearer", bearer),
                               ("with a proof by the thief's own key", "proof_key", forged)):
        answer = books.thief(loot)
        story.check(answer.reason == reason, f"{what}: {answer.status} {answer.reason}: {answer.json().get('detail')}")
    story.check(len(books.service.requests) == served, "the service was asked nothing of it")
    line = books.command.end()
    story.check(line["cause"] == "finished", "the command exits, and its task has ended")
    books.idp.wait(lambda calls: any(c.told["event"] == "revoked" for c in calls), "that the token is taken back")
    story.check(books.ask(token) == {"active": False}, f"the server says of the token: {json.dumps(books.ask(token))}")
