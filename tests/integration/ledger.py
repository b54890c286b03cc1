"""A ledger written and verified by other code than Holdfast's: hashlib and python3-cryptography, from the words of
tasks/ledger.h alone. The one that writes can be told to tear and to begin again; the one that verifies says only whether
all is well, and what it found first."""

import base64
import hashlib
import json
import os

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

NONE_BEFORE = "A" * 43


def spell(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def read(text):
    """Strictly: one value has one spelling."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    require(spell(data) == text, "base64url")
    return data


def digest(data):
    return spell(hashlib.sha256(data).digest())


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def thumbprint(jwk):
    return digest(compact({"crv": jwk["crv"], "kty": jwk["kty"], "x": jwk["x"], "y": jwk["y"]}).encode())


class Key:
    def __init__(self, number=None):
        """number: always the same key."""
        curve = ec.SECP256R1()
        self.private = ec.generate_private_key(curve) if number is None else ec.derive_private_key(number, curve)
        n = self.private.public_key().public_numbers()
        self.jwk = {"alg": "ES256", "crv": "P-256", "kty": "EC", "x": spell(n.x.to_bytes(32, "big")),
                    "y": spell(n.y.to_bytes(32, "big"))}
        self.name = thumbprint(self.jwk)

    def jws(self, claims):
        signed = spell(compact({"alg": "ES256", "kid": self.name, "typ": "ledger+jws"}).encode()) + "." + spell(compact(claims).encode())
        r, s = decode_dss_signature(self.private.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return signed + "." + spell(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


def name_of(segment):
    return f"ledger-{segment:08d}.jsonl"


class Writer:
    """A ledger in this directory. Every call appends to the segment's file at once."""

    def __init__(self, directory, key=None, at=1763800000000):
        self.directory, self.key, self.at = directory, key or Key(), at
        self.seq, self.prev, self.segment, self.file, self.torn = 0, NONE_BEFORE, 0, None, None
        os.makedirs(directory, mode=0o700, exist_ok=True)
        with open(os.path.join(directory, "key.jwk"), "w", encoding="utf-8") as f:
            f.write(compact(self.key.jwk))

    def path(self, segment=None):
        return os.path.join(self.directory, name_of(segment or self.segment))

    def stamp(self):
        return f"2026-11-22T{self.at // 3600000 % 24:02d}:{self.at // 60000 % 60:02d}:{self.at // 1000 % 60:02d}.{self.at % 1000:03d}Z"

    def put(self, kind, **members):
        self.seq += 1
        line = compact({"seq": self.seq, "prev": self.prev, "ts": self.stamp(), "kind": kind, **members}).encode()
        self.prev = digest(line)
        self.file.write(line + b"\n")
        self.at += 37
        return line

    def begin(self):
        self.segment += 1
        self.file = open(self.path(), "wb", buffering=0)
        sealed = {"torn": {"bytes": len(self.torn), "sha256": digest(self.torn)}} if self.torn else {}
        self.torn = None
        self.put("segment", segment=self.segment, key=self.key.name, **sealed)

    def checkpoint(self):
        claims = {"ledger": self.key.name, "seq": self.seq, "hash": self.prev, "at": self.at // 1000, "ts": self.stamp()}
        line = self.put("checkpoint", jws=self.key.jws(claims))
        with open(os.path.join(self.directory, "checkpoint"), "wb") as f:
            f.write(line + b"\n")
        return line

    def end(self):
        self.put("end")
        kept = self.checkpoint()
        self.file.close()
        return kept

    def tear(self, data):
        """The process was killed in the middle of a write."""
        self.file.write(data)
        self.file.close()
        self.torn = data


class Broken(Exception):
    pass


def require(true, what):
    if not true:
        raise Broken(what)


def signed(jwk, jws):
    """The claims of a JWS, once the key says they are its own."""
    head, claims, signature = jws.split(".")
    require(json.loads(read(head)) == {"alg": "ES256", "kid": thumbprint(jwk), "typ": "ledger+jws"}, "header")
    raw = read(signature)
    require(len(raw) == 64, "signature's length")
    numbers = ec.EllipticCurvePublicNumbers(*(int.from_bytes(read(jwk[c]), "big") for c in "xy"), ec.SECP256R1())
    try:
        numbers.public_key().verify(encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")),
                                    f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as e:
        raise Broken("signature") from e
    return json.loads(read(claims))


def lines_of(path):
    with open(path, "rb") as f:
        *lines, tail = f.read().split(b"\n")
    return lines, tail


def closing(kinds):
    """Of a segment: is it closed in order? Nothing stands behind what closes it."""
    require("end" not in kinds[:-2] and (kinds[-2:-1] != ["end"] or kinds[-1] == "checkpoint"), "behind the end")
    return kinds[-2:] == ["end", "checkpoint"]


def verify(directory, jwk, kept=None, ended=False):
    """Every record, as (seq, line); Broken says what is wrong first. ended: it was closed in order, or is broken."""
    names = sorted(n for n in os.listdir(directory) if n.startswith("ledger-"))
    require(names == [name_of(i + 1) for i in range(len(names))], "segments missing")
    records, torn, closed = [], b"", False
    for number, name in enumerate(names, 1):
        lines, tail = lines_of(os.path.join(directory, name))
        require(lines, "empty segment")
        kinds = []
        for i, line in enumerate(lines):
            prev = digest(records[-1][1]) if records else NONE_BEFORE
            front = f'{{"seq":{len(records) + 1},"prev":"{prev}","ts":"'.encode()
            require(line.startswith(front), f"{name}:{i + 1}: seq or prev")
            try:
                record = json.loads(line)
            except ValueError as e:
                raise Broken(f"{name}:{i + 1}: JSON") from e
            require((i == 0) == (record["kind"] == "segment"), "segment's record")
            if i == 0:
                require(record["segment"] == number and record["key"] == thumbprint(jwk), "segment")
                sealed = {"bytes": len(torn), "sha256": digest(torn)} if torn else None
                require(record.get("torn") == sealed, "torn tail")
            if record["kind"] == "checkpoint":
                claims = signed(jwk, record["jws"])
                require(claims["ledger"] == thumbprint(jwk) and claims["seq"] == len(records) and claims["hash"] == prev, "claims")
                rest = f'{claims["ts"]}","kind":"checkpoint","jws":"{record["jws"]}"}}'.encode()
                require(line == front + rest, f"{name}:{i + 1}: a checkpoint's form")
            if record["kind"] == "end":
                require(line.endswith(b'","kind":"end"}'), f"{name}:{i + 1}: an end's form")
            kinds.append(record["kind"])
            records.append((len(records) + 1, line))
        closed, torn = closing(kinds), tail
        require(not (closed and torn), "bytes behind the end")
    require(not torn, "torn tail that nobody sealed")
    require(closed or not ended, "not closed in order")
    if kept:
        claims = signed(jwk, json.loads(kept)["jws"])
        place = json.loads(kept)["seq"]
        require(len(records) >= place, "older than the checkpoint")
        require(records[place - 1][1] == kept, "another than the checkpoint")
    return records
