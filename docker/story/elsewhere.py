"""Everybody else of the story, on the network that Holdfast alone joins to the workload's: a web site, a thief who was handed what the
workload could copy, and the operator, who saves a filter and sends SIGHUP. Who is to act, and with what, is told over a socket in a
directory shared with the workload: a channel that no real workload has, and whatever leaks through it is worth nothing."""

import contextlib
import http.client
import http.server
import json
import os
import re
import signal
import socket
import socketserver
import ssl
import threading
import time

SOCKET = "/stage/elsewhere.sock"
FILTER = "/etc/holdfast/conf.d/added.conf"
TRUST = "/pki/trust/ca.pem"
HOLDFAST, ADDRESS = os.environ["HOLDFAST_OUTSIDE"], os.environ["ELSEWHERE_OUTSIDE"]
PATIENCE = 60


class Reports(http.server.BaseHTTPRequestHandler):
    """reports.example, plain."""

    def do_GET(self):
        body = b"all quiet\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Listener:
    """Counts whoever gets through to it. The first is itself, so that a count means something."""

    def __init__(self):
        self.heard = {}
        with contextlib.ExitStack() as knocks:
            for what, kind, port in (("tcp 443", socket.SOCK_STREAM, 443), ("udp 443", socket.SOCK_DGRAM, 443),
                                     ("udp 53", socket.SOCK_DGRAM, 53)):
                ear = socket.socket(socket.AF_INET, kind)
                ear.bind((ADDRESS, port))
                if kind == socket.SOCK_STREAM:
                    ear.listen()
                knock = knocks.enter_context(socket.socket(socket.AF_INET, kind))
                knock.connect((ADDRESS, port))
                if kind == socket.SOCK_DGRAM:
                    knock.send(b"?")
                self.heard[what] = 0
                threading.Thread(target=self.listen, args=(what, ear), daemon=True).start()

    def listen(self, what, ear):
        while True:
            if ear.type == socket.SOCK_STREAM:
                ear.accept()[0].close()
            else:
                ear.sendto(b"!", ear.recvfrom(512)[1])
            self.heard[what] += 1


def listen():
    return {"heard": LISTENER.heard}


def replay(method, path, fields):
    """The thief: straight to the gate, with somebody else's token and proof."""
    gate = http.client.HTTPSConnection("orders.example", 8443, timeout=PATIENCE, context=ssl.create_default_context(cafile=TRUST))
    gate.request(method, path, headers=fields)
    answer = gate.getresponse()
    return {"status": answer.status, "body": answer.read().decode()}


def borrow():
    """The thief again: Holdfast itself, from its other network."""
    door = http.client.HTTPConnection(HOLDFAST, 15001, timeout=PATIENCE)
    try:
        door.request("GET", "http://reports.example/daily")
        return {"refused": False}
    except ConnectionRefusedError:
        return {"refused": True}


def gauges():
    ops = http.client.HTTPConnection(HOLDFAST, 15021, timeout=PATIENCE)
    ops.request("GET", "/metrics")
    page = ops.getresponse().read().decode()
    return {what: int(float(re.search(rf"^holdfast_config_{what} (\S+)$", page, re.M)[1]))
            for what in ("generation", "last_reload_successful")}


def change(text, is_good):
    """The operator: saves a filter, renaming it into its place as editors do, and sends SIGHUP; whether the metrics then tell what they
    should. They tell of a new generation a moment before they call its reload a success."""
    before = gauges()
    wanted = {"generation": before["generation"] + is_good, "last_reload_successful": int(is_good)}
    with open(FILTER + "~", "w", encoding="utf-8") as f:
        f.write(text)
    os.rename(FILTER + "~", FILTER)
    os.kill(1, signal.SIGHUP)       # of Holdfast's process namespace
    end = time.monotonic() + PATIENCE
    while (after := gauges()) != wanted and time.monotonic() < end:
        time.sleep(0.02)
    return {"as_wanted": after == wanted, "generation": after["generation"]}


LISTENER = Listener()
ERRANDS = {"listen": listen, "replay": replay, "borrow": borrow, "change": change}


class Errand(socketserver.StreamRequestHandler):
    def handle(self):
        asked = json.loads(self.rfile.readline())
        self.wfile.write(json.dumps(ERRANDS[asked.pop("errand")](**asked)).encode())


threading.Thread(target=http.server.ThreadingHTTPServer(("0.0.0.0", 80), Reports).serve_forever, daemon=True).start()
with socketserver.ThreadingUnixStreamServer(SOCKET, Errand) as server:
    os.chmod(SOCKET, 0o666)
    server.serve_forever()
