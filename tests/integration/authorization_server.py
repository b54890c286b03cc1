"""An authorization server of the tests' own: gives tokens, wants proofs, takes tokens back, and misbehaves as it is told.

It is written from the RFCs and not from Holdfast: what it is shown wrong, it refuses."""

import base64
import json
import secrets
import threading
import time
import urllib.parse

import canary
import jose
from origin import Origin

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
JWT_SVID = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"


class Refused(Exception):
    """What the server says no with: an error of RFC 6749 section 5.2, and a status."""

    def __init__(self, error, status=400, fields=()):
        super().__init__(error)
        self.error, self.status, self.fields = error, status, list(fields)


class Token:
    def __init__(self, value, form, jkt, ends):
        self.value, self.form, self.jkt, self.ends = value, form, jkt, ends
        canary.tell(value)
        self.revoked = threading.Event()

    @property
    def is_live(self):
        return not self.revoked.is_set() and time.monotonic() < self.ends


def form_of(request):
    return urllib.parse.parse_qs(request.body.decode(), keep_blank_values=True, strict_parsing=True)


def check_proof(proof, method, uri, nonce=None, token=None, seen=None):
    """The verifier's steps of RFC 9449 section 4.3; the key's thumbprint."""
    header, claims = jose.parts(proof)
    jwk = header["jwk"]
    assert header["typ"] == "dpop+jwt" and header["alg"] == "ES256", header
    assert {"kty", "crv", "x", "y"} <= set(jwk) <= {"kty", "crv", "x", "y", "alg"}, jwk
    assert jose.verify(proof, jwk), "the proof's signature is wrong"
    assert claims["htm"] == method and claims["htu"] == uri, (claims, method, uri)
    assert abs(claims["iat"] - time.time()) < 300, claims
    if token is not None:
        assert claims["ath"] == jose.digest(token), claims
    else:
        assert "ath" not in claims, claims
    if seen is not None:
        assert claims["jti"] not in seen, "a proof was shown twice"
        seen.add(claims["jti"])
    if nonce is not None and claims.get("nonce") != nonce:
        raise Refused("use_dpop_nonce", 400, [("DPoP-Nonce", nonce)])
    return jose.digest(json.dumps({k: jwk[k] for k in ("crv", "kty", "x", "y")}, separators=(",", ":")))


class AuthorizationServer:
    """`answer(connection, request, form)` may be set: it answers the token endpoint itself when it returns True."""

    def __init__(self, address, leaf, port=443, name="as.test", context=None):
        self.base = f"https://{name}" + ("" if port == 443 else f":{port}")
        self.clients = {}               # id: what it must be shown (a secret, a JWK, …)
        self.life = 600
        self.nonce = None               # demanded in proofs at the token endpoint
        self.answer = self.revoke = None
        self.token_type = None          # said in place of the right one
        self.also = {}                  # more members of the answer
        self.asked, self.tokens, self.revoked = [], [], []      # forms; Tokens; in order
        self.heads = []
        self.faults = []                # what was asked wrongly
        self.seen = set()
        self.lock = threading.Condition()
        self.refresh_tokens = {}        # value: whether it may be used still
        self.origin = Origin(address, port, leaf, answer=self._serve)
        if context is not None:
            context(self.origin._context)

    def stop(self):
        self.origin.stop()

    # ---- asking the witness

    def find(self, value):
        return next((t for t in self.tokens if t.value == value), None)

    def wait(self, true, what, timeout=120):
        end = time.monotonic() + timeout
        with self.lock:
            while not true():
                left = end - time.monotonic()
                assert left > 0, f"the authorization server waited for {what}"
                self.lock.wait(left)

    def wait_revoked(self, n=1, timeout=120):
        self.wait(lambda: len(self.revoked) >= n, f"{n} revocations (saw {len(self.revoked)})", timeout)

    def wait_asked(self, n=1, timeout=120):
        self.wait(lambda: len(self.asked) >= n, f"{n} requests for a token (saw {len(self.asked)})", timeout)

    # ---- serving

    def _serve(self, connection, request):
        connection.read_body(request)
        form = form_of(request)
        path = request.target
        with self.lock:
            self.heads.append(request)
            (self.asked if path == "/token" else self.revoked).append(form)
            self.lock.notify_all()
        try:
            if path == "/token":
                if self.answer is not None and self.answer(connection, request, form):
                    return True
                self.reply(connection, 200, self._grant(connection, request, form))
            elif path == "/revoke":
                if self.revoke is not None and self.revoke(connection, request, form):
                    return True
                self._take_back(connection, request, form)
            else:
                self.reply(connection, 404, {"error": "not_found"})
        except Refused as no:
            self.reply(connection, no.status, {"error": no.error}, no.fields)
        except (AssertionError, KeyError, ValueError) as wrong:
            self.faults.append(repr(wrong))
            self.reply(connection, 400, {"error": "invalid_request"})
        return True

    def reply(self, connection, status, members, fields=()):
        body = members if isinstance(members, (bytes, str)) else json.dumps(members)
        more = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        if self.nonce is not None:
            fields = [f for f in fields if f[0] != "DPoP-Nonce"] + [("DPoP-Nonce", self.nonce)]
        connection.reply(status, body, more + list(fields))

    def _client(self, connection, request, form):
        """Who asks, by whichever way it proves it."""
        basic = request.get("authorization")
        if basic is not None:
            assert basic.startswith("Basic ") and "client_secret" not in form, basic
            pair = base64.b64decode(basic[6:], validate=True).decode().split(":", 1)
            who, shown = (urllib.parse.unquote_plus(part) for part in pair)
        elif "client_assertion" in form:
            (kind,) = form["client_assertion_type"]
            return self._client_by_assertion(kind, form)
        else:
            who, shown = form.get("client_id", [None])[0], form.get("client_secret", [None])[0]
        if shown is None and self.clients.get(who) == "certificate":
            if not connection.sock.getpeercert():
                raise Refused("invalid_client", 401)
            return who
        if who not in self.clients or self.clients[who] != shown:
            raise Refused("invalid_client", 401)
        return who

    def _client_by_assertion(self, kind, form):
        (assertion,) = form["client_assertion"]
        if kind == JWT_SVID:
            if self.clients.get("svid") != assertion:
                raise Refused("invalid_client", 401)
            return "svid"
        assert kind == JWT_BEARER, kind
        header, claims = jose.parts(assertion)
        who = claims["sub"]
        assert claims["iss"] == who and claims["aud"] in (self.base, self.base + "/token"), claims
        assert form.get("client_id", [who]) == [who]
        assert time.time() - 60 < claims["iat"] <= time.time() + 5 and 0 < claims["exp"] - claims["iat"] <= 300, claims
        assert claims["jti"] not in self.seen, "an assertion was shown twice"
        self.seen.add(claims["jti"])
        jwk = self.clients.get(who)
        if not isinstance(jwk, dict) or not jose.verify(assertion, jwk):
            raise Refused("invalid_client", 401)
        assert header["kid"], header
        return who

    def _grant(self, connection, request, form):
        self._client(connection, request, form)
        jkt, proofs = None, request.all("dpop")
        assert len(proofs) <= 1, proofs
        if proofs:
            jkt = check_proof(proofs[0], "POST", self.base + "/token", self.nonce, seen=self.seen)
        more = self._follow(form) if form["grant_type"] == ["refresh_token"] else {}
        token = Token("at-" + secrets.token_urlsafe(24), "DPoP" if jkt else "Bearer", jkt, time.monotonic() + self.life)
        with self.lock:
            self.tokens.append(token)
        return {"access_token": token.value, "token_type": self.token_type or token.form, "expires_in": self.life, **more,
                **self.also}

    def _follow(self, form):
        """Each refresh token is good once."""
        (shown,) = form["refresh_token"]
        if not self.refresh_tokens.get(shown):
            raise Refused("invalid_grant")
        self.refresh_tokens[shown] = False
        following = "rt-" + secrets.token_urlsafe(24)
        canary.tell(following)
        self.refresh_tokens[following] = True
        return {"refresh_token": following}

    def _take_back(self, connection, request, form):
        self._client(connection, request, form)
        token = self.find(form["token"][0])
        if token is not None:
            token.revoked.set()
        connection.reply(200, b"")


class Resource:
    """A service that takes DPoP tokens of this server (RFC 9449 section 7), or bearer ones, and echoes nothing of them."""

    def __init__(self, server, address, leaf, name="api.test", port=443):
        self.server, self.base = server, f"https://{name}" + ("" if port == 443 else f":{port}")
        self.nonce = None               # demanded in proofs
        self.tell_nonce = None          # given with any answer
        self.seen, self.shown = set(), []       # (token, thumbprint) in order
        self.hold = None                # an event that an answer waits for
        self.origin = Origin(address, port, leaf, answer=self._serve)

    def stop(self):
        self.origin.stop()

    def _serve(self, connection, request):
        connection.read_body(request)
        fields = [("DPoP-Nonce", self.tell_nonce)] if self.tell_nonce else []
        try:
            self._judge(request)
        except (AssertionError, KeyError, ValueError) as wrong:
            self.server.faults.append(repr(wrong))
            connection.reply(400, "wrong")
            return False
        except Refused as no:
            challenge = f'DPoP realm="x, y", error="{no.error}", algs="ES256"'
            connection.reply(401, no.error, [("WWW-Authenticate", challenge), *(no.fields or fields)])
            return False
        connection.reply(200, "welcome", fields)
        return False

    def _judge(self, request):
        (authorization,) = request.all("authorization")
        scheme, _, value = authorization.partition(" ")
        token = self.server.find(value)
        if token is None or not token.is_live or scheme != token.form:
            raise Refused("invalid_token", 401)
        if token.jkt is not None:
            (proof,) = request.all("dpop")
            uri = self.base + request.target.partition("?")[0]
            jkt = check_proof(proof, request.method, uri, self.nonce, value, self.seen)
            if jkt != token.jkt:
                raise Refused("invalid_token", 401)
        self.shown.append((value, token.jkt))
