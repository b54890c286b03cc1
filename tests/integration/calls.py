"""The service and the client of tests/node/calls.proto once more, by grpcio, without generated code.

calls.py serve ADDRESS:PORT [CERTIFICATE KEY]        says {"port":…}, then a line of JSON for each call
calls.py call ADDRESS:PORT CA WHAT COUNT [NAME=VALUE …]  as calls_client.mjs
"""

import json
import os
import sys
import threading
from concurrent import futures

import grpc

UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), ("grpc.enable_retries", 0),
             ("grpc.so_reuseport", 0)]
KINDS = {"Once": (False, False), "Gather": (True, False), "Scatter": (False, True), "Talk": (True, True), "Fail": (False, False),
         "Stay": (False, False)}


def varint(n):
    out = bytearray()
    while n >= 128:
        out.append(n % 128 | 128)
        n //= 128
    return bytes(out) + bytes([n])


def packed(note):
    """(text, load) as protobuf has it: two fields that are bytes."""
    return b"".join(tag + varint(len(v)) + v for tag, v in ((b"\x0a", note[0].encode()), (b"\x12", note[1])) if v)


def unpacked(data):
    values, at = {1: b"", 2: b""}, 0
    while at < len(data):
        tag, at = data[at], at + 1
        size = shift = 0
        while True:
            byte, at = data[at], at + 1
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        values[tag >> 3], at = data[at:at + size], at + size
    return values[1].decode(), values[2]


# ---- the service

_speaking = threading.Lock()


def say(**told):
    with _speaking:
        os.write(1, json.dumps(told).encode() + b"\n")


def told(name, context, took, **more):
    fields = [[n, v if isinstance(v, str) else v.hex()] for n, v in context.invocation_metadata()]
    left = context.time_remaining()
    say(path=f"/calls.Calls/{name}", fields=fields, took=took, deadline=left is not None and left < 1e9, **more)
    context.set_trailing_metadata((("x-closing", "said at the end"), ("x-closing-bin", bytes([0, 1, 254, 255]))))


def once(note, context):
    context.send_initial_metadata((("x-opening", "said at the beginning"),))
    told("Once", context, 1)
    return note


def gather(notes, context):
    n = sum(1 for _ in notes)
    told("Gather", context, n)
    return str(n), b""


def scatter(note, context):
    told("Scatter", context, 1)
    for i in range(int(note[0])):
        yield str(i), note[1]


def talk(notes, context):
    n = 0
    for note in notes:
        n += 1
        yield note
    told("Talk", context, n)


def fail(note, context):
    told("Fail", context, 1)
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, note[0])


def stay(_, context):
    over = threading.Event()
    context.add_callback(over.set)
    told("Stay", context, 1, stays=True)
    over.wait()
    say(path="/calls.Calls/Stay", fields=[], took=1, cancelled=True)
    return "", b""


HANDLERS = {"Once": once, "Gather": gather, "Scatter": scatter, "Talk": talk, "Fail": fail, "Stay": stay}
MAKE = {(False, False): grpc.unary_unary_rpc_method_handler, (True, False): grpc.stream_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler, (True, True): grpc.stream_stream_rpc_method_handler}


def read_file(path):
    with open(path, "rb") as f:
        return f.read()


def serve(address, certificate=None, key=None):
    server = grpc.server(futures.ThreadPoolExecutor(16), options=UNLIMITED)
    methods = {name: MAKE[KINDS[name]](run, unpacked, packed) for name, run in HANDLERS.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("calls.Calls", methods),))
    if certificate:
        port = server.add_secure_port(address, grpc.ssl_server_credentials([(read_file(key), read_file(certificate))]))
    else:
        port = server.add_insecure_port(address)
    server.start()
    say(port=port)
    server.wait_for_termination()


# ---- the client

class Caller:
    def __init__(self, address, ca, what, count, words):
        self.what, self.n = what, int(count)
        own = {"text": "hello", "load": "0", "deadline_ms": "600000"}
        self.metadata = []
        for word in words:
            name, _, value = word.partition("=")
            if name in own:
                own[name] = value
            else:
                self.metadata.append((name, value))
        self.text, self.load = own["text"], (b"0123456789abcdef" * (int(own["load"]) // 16 + 1))[:int(own["load"])]
        self.seconds = int(own["deadline_ms"]) / 1000
        self.channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(read_file(ca)), options=UNLIMITED)
        self.seen = {"ok": 0, "notes": 0, "bytes": 0, "inOrder": True, "codes": {}, "details": "", "opening": {}, "closing": {}}

    def method(self, name):
        make = {(False, False): self.channel.unary_unary, (True, False): self.channel.stream_unary,
                (False, True): self.channel.unary_stream, (True, True): self.channel.stream_stream}[KINDS[name]]
        return make(f"/calls.Calls/{name}", packed, unpacked)

    def took(self, answer):
        if self.what in ("Talk", "Scatter"):
            self.seen["inOrder"] = self.seen["inOrder"] and answer[0] == str(self.seen["notes"])
        self.seen["notes"] += 1
        self.seen["bytes"] += len(answer[1])
        self.seen["text"] = answer[0]

    def ended(self, call):
        code = call.code()
        number = str(code.value[0])
        self.seen["codes"][number] = self.seen["codes"].get(number, 0) + 1
        self.seen["ok"] += code == grpc.StatusCode.OK
        if code != grpc.StatusCode.OK:
            self.seen["details"] = call.details()
        self.seen["opening"], self.seen["closing"] = plain(call.initial_metadata()), plain(call.trailing_metadata())

    def one(self, name, argument):
        return self.method(name).future(argument, timeout=self.seconds, metadata=self.metadata)

    def finish(self, call):
        try:
            self.took(call.result())
        except grpc.RpcError:
            pass
        self.ended(call)

    def streamed(self, call):
        try:
            for answer in call:
                self.took(answer)
        except grpc.RpcError:
            pass
        self.ended(call)

    def talk(self):
        """Each message waits for the answer to the one before: a stream that is gathered up would stand still."""
        turn = threading.Semaphore(1)

        def notes():
            for i in range(self.n):
                turn.acquire()
                yield str(i), self.load

        call = self.method("Talk")(notes(), timeout=self.seconds, metadata=self.metadata)
        try:
            for answer in call:
                self.took(answer)
                turn.release()
        except grpc.RpcError:
            turn.release()
        self.ended(call)

    def run(self):
        note = (self.text, self.load)
        if self.what == "Once":
            for _ in range(self.n):
                self.finish(self.one("Once", note))
        elif self.what == "Many":
            for call in [self.one("Once", note) for _ in range(self.n)]:
                self.finish(call)
        elif self.what == "Gather":
            self.finish(self.one("Gather", iter([note] * self.n)))
        elif self.what == "Scatter":
            self.streamed(self.method("Scatter")((str(self.n), self.load), timeout=self.seconds, metadata=self.metadata))
        elif self.what == "Talk":
            self.talk()
        else:
            self.finish(self.one(self.what, note))
        return self.seen


def plain(metadata):
    return {n: list(v) if isinstance(v, bytes) else v for n, v in metadata or ()}


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(*sys.argv[2:])
    else:
        print(json.dumps(Caller(*sys.argv[2:6], sys.argv[6:]).run()))
