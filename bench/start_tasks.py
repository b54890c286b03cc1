"""Starts N tasks over the control socket, one after the other, of the grants g0 … gM-1 in turn (peers.sh, holdfast-10ktasks).

    start_tasks.py SOCKET N M
"""

import json
import socket
import sys
import time


def main(path, n, grants):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    answers = sock.makefile("r", encoding="utf-8")
    begun = time.monotonic()
    for i in range(n):
        sock.sendall(json.dumps({"verb": "task_start", "grant": f"g{i % grants}"}).encode() + b"\n")
        answer = json.loads(answers.readline())
        assert answer["ok"], answer
    print(f"{n} tasks of {grants} grants, {(time.monotonic() - begun) * 1e6 / n:.0f} µs each")


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
