"""A metadata service, where a cloud would have it: at its well-known address, a step away from Holdfast, in whose network namespace this
runs. It writes down whoever calls; the first to call is itself, so that an empty page means something."""

import socket
import subprocess

ADDRESS = "169.254.169.254"
VISITS = "/stage/metadata.visits"

subprocess.run(["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
with socket.create_server((ADDRESS, 80)) as server, open(VISITS, "w", encoding="ascii") as visits:
    socket.create_connection((ADDRESS, 80)).close()
    while True:
        connection, peer = server.accept()
        visits.write(f"{peer[0]}\n")
        visits.flush()
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nAccessKeyId=AKIA...\n")
        connection.close()
