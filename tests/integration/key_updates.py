"""What no TLS library will send: KeyUpdate after KeyUpdate, each sealed with the key the one before brought in (RFC 8446,
sections 4.6.3 and 7.2). The first secret is read from the library's own key log."""

import hmac
import struct

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

_SUITES = {
    "TLS_AES_128_GCM_SHA256": ("sha256", 32, AESGCM, 16),
    "TLS_AES_256_GCM_SHA384": ("sha384", 48, AESGCM, 32),
    "TLS_CHACHA20_POLY1305_SHA256": ("sha256", 32, ChaCha20Poly1305, 32),
}
_KEY_UPDATE = b"\x18\0\0\1\0"       # the message: do not answer with one of yours
_HANDSHAKE = b"\x16"


def _expand(digest, secret, label, size):
    """HKDF-Expand-Label for what fits into one block."""
    label = b"tls13 " + label
    return hmac.digest(secret, struct.pack(">HB", size, len(label)) + label + b"\0\1", digest)[:size]


def secret_of(key_log, label):
    """The last secret of this kind that was written to the key log."""
    with open(key_log, encoding="ascii") as f:
        return bytes.fromhex([line.split()[2] for line in f if line.startswith(label + " ")][-1])


def key_updates(suite, secret, count):
    """The bytes of so many KeyUpdates by a side that has sent nothing since its handshake."""
    digest, digest_size, cipher, key_size = _SUITES[suite]
    records = []
    inner = _KEY_UPDATE + _HANDSHAKE
    head = b"\x17\x03\x03" + struct.pack(">H", len(inner) + 16)
    for _ in range(count):
        key, nonce = _expand(digest, secret, b"key", key_size), _expand(digest, secret, b"iv", 12)
        records.append(head + cipher(key).encrypt(nonce, inner, head))
        secret = _expand(digest, secret, b"traffic upd", digest_size)
    return b"".join(records)
