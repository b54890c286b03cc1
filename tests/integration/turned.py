"""Connections that the kernel turns round to a transparent door of Holdfast, in this test's own network: who is led there, and
the client that knows of no proxy."""

import ipaddress
import os
import re
import shutil
import socket
import subprocess

from client import PROXY_UID, WORKLOAD_UID, Answer, Channel, as_uid
from promise import skip_file

PORT = 15006
DOORS = (f', {{ kind = "transparent"; listen = "127.0.0.1:{PORT}"; }}, {{ kind = "transparent"; listen = "[::1]:{PORT}"; }}')
BY_TPROXY = DOORS.replace("; }", '; intercept = "tproxy"; }')
PUBLIC6 = "2a00:20::10"

# A file that is run with this set has its clients' tunnels begin at a transparent door instead of with a CONNECT: whatever it
# promises of what is inside one holds there as well.
IS_THE_WAY = os.environ.get("HOLDFAST_TEST_DOOR") == "transparent"
DOOR = ', { kind = "transparent"; listen = "127.0.0.1:0"; h2c = true; }'

REDIRECT = """
table inet turned
delete table inet turned
table inet turned {
  chain out {
    type nat hook output priority -100
    WHO meta l4proto tcp ip daddr != 127.0.0.0/8 redirect to :PORT
    WHO meta l4proto tcp ip6 daddr != ::1 redirect to :PORT
  }
}
"""
# A packet goes out by the loopback and comes in again; there it is given to the door as it is.
TPROXY = """
table inet turned
delete table inet turned
table inet turned {
  chain out {
    type route hook output priority -150
    WHO meta l4proto tcp meta mark set 7
  }
  chain in {
    type filter hook prerouting priority -150
    meta mark 7 meta nfproto ipv4 meta l4proto tcp tproxy ip to 127.0.0.1:PORT accept
    meta mark 7 meta nfproto ipv6 meta l4proto tcp tproxy ip6 to [::1]:PORT accept
  }
}
"""


_led = set()


def nft(rules):
    if shutil.which("nft") is None:
        skip_file("nft is not installed: nothing can be turned round")
    told = subprocess.run(["nft", "-f", "-"], input=rules, text=True, capture_output=True, check=False)
    if told.returncode != 0:
        skip_file("nft cannot turn connections round here: " + told.stderr.strip().splitlines()[0])


def lead(rules=REDIRECT, who=f"meta skuid != {PROXY_UID}", port=PORT):
    """From now on whoever connects to anything but the loopback's own address is led to the door."""
    nft(rules.replace("WHO", who).replace("PORT", str(port)))


def address_of(config, name):
    """As the config's resolver.hosts has it: who knows of no proxy resolves by himself."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return re.search(r'name = "' + re.escape(name) + r'"; addresses = \["([^"]+)"', config).group(1)


def connect(address, port, uid=WORKLOAD_UID, mark=0):
    with as_uid(uid):
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    sock.settimeout(120)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if mark:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
    sock.connect((address, port))
    return Channel(sock)


def lead_marked(port):
    """Who marks his connections with the number of this door's port is led there, wherever he goes."""
    nft(f"""
table inet marked {{
  chain out {{
    type nat hook output priority -101
    meta mark {port} meta l4proto tcp redirect to :{port}
  }}
}}""")


def tunnel(h, target, uid):
    """(channel, what a client of a proxy would have been answered)"""
    (door,) = h.doors("transparent")
    door = int(door["address"].rpartition(":")[2])
    if door not in _led:
        _led.add(door)
        lead_marked(door)
    name, _, port = target.rpartition(":")
    channel = connect(address_of(h.configs[-1], name.strip("[]")), int(port), uid, mark=door)
    return channel, Answer(b"HTTP/1.1 200 it was led here\r\n\r\n")
