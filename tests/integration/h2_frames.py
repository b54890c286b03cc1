"""HTTP/2's frames, byte by byte: also those that no library would send."""

import struct

from promise import skip_file

try:
    import hpack
except ImportError:
    skip_file("there is no hpack (Debian: python3-hpack)")

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
(HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE) = range(1, 7)
ENABLE_CONNECT_PROTOCOL = 8
(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM,
 CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM) = range(12)
WINDOW = 65535


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(values=()):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *v) for v in dict(values).items()))


def window_update(n, stream=0):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", n))


def reset(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def ping(data=b"12345678", ack=False):
    return frame(PING, ACK if ack else 0, 0, data)


def goaway(last, code=NO_ERROR, debug=b""):
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, code) + debug)


def priority(stream, depends_on=0, weight=15):
    return frame(PRIORITY, 0, stream, struct.pack(">IB", depends_on, weight))


def headers(stream, block, end_stream=False, end_headers=True):
    return frame(HEADERS, (END_STREAM if end_stream else 0) | (END_HEADERS if end_headers else 0), stream, block)


def literal(fields):
    """A block that uses no table: the same bytes whatever was sent before, and nothing is checked."""
    return b"".join(b"\x00" + _string(n) + _string(v) for n, v in fields)


def _string(text):
    data = text if isinstance(text, bytes) else text.encode("latin-1")
    return number(len(data), 7) + data


def number(n, bits, front=0):
    """RFC 7541 section 5.1."""
    most = (1 << bits) - 1
    if n < most:
        return bytes([front | n])
    out, n = bytearray([front | most]), n - most
    while n >= 128:
        out.append(n % 128 | 128)
        n //= 128
    out.append(n)
    return bytes(out)


def request_fields(method="GET", path="/", authority="allowed.test", scheme="https", fields=()):
    return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path), *fields]


class Reader:
    """Cuts what is appended into frames."""

    def __init__(self):
        self._bytes = bytearray()

    def feed(self, data):
        self._bytes += data

    def take(self, n):
        """n bytes that are no frame (the preface), or None when they are not there yet."""
        if len(self._bytes) < n:
            return None
        data = bytes(self._bytes[:n])
        del self._bytes[:n]
        return data

    def __iter__(self):
        while len(self._bytes) >= 9:
            size = int.from_bytes(self._bytes[:3], "big")
            if len(self._bytes) < 9 + size:
                return
            kind, flags, stream = struct.unpack_from(">BBI", self._bytes, 3)
            payload = bytes(self._bytes[9:9 + size])
            del self._bytes[:9 + size]
            yield kind, flags, stream & 0x7fffffff, payload


def unpadded(flags, payload):
    return payload[1:len(payload) - payload[0]] if flags & PADDED else payload


def decoder():
    """Takes any list that we may be sent."""
    d = hpack.Decoder(max_header_list_size=1 << 24)
    d.max_allowed_table_size = 1 << 16
    return d
