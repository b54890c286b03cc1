"""TLS sessions: a shorter handshake for whoever had a longer one, and for nobody else."""

import os
import ssl
import subprocess

from holdfast import ADDRESSES, OTHER_UID, WORKLOAD_UID, Sidecar, grant, main, own_network, promise

own_network(ADDRESSES)
s = Sidecar(workers=3)


def answer_and_close(connection, request):
    """So that the next request needs a connection of its own."""
    connection.resumed = connection.sock.session_reused
    connection.reply(200, "here", [("Connection", "close")])
    return True


s.origin.answer = answer_and_close


def resume(context, session, target="allowed.test:443", uid=WORKLOAD_UID):
    """A tunnel whose handshake offers this session."""
    channel, answer = s.h.connect(target, uid)
    assert answer.status == 200
    channel.sock = context.wrap_socket(channel.sock, server_hostname=target.partition(":")[0], session=session)
    return channel


def earn(context, target="allowed.test:443"):
    with s.h.tls(target, context=context) as c:
        assert not c.sock.session_reused
        c.request("GET", "/first", target.partition(":")[0])
        return c.sock.session


# ---- towards clients

@promise
def a_client_resumes_whichever_worker_it_meets():
    context = s.h.client_context()
    session = earn(context)
    for _ in range(24):
        with resume(context, session) as c:
            assert c.sock.session_reused
            assert c.request("GET", "/again", "allowed.test").status == 200
            session = c.sock.session


@promise
def openssl_resumes():
    kept = os.path.join(s.ws.directory("sessions"), "session.pem")
    base = ["openssl", "s_client", "-proxy", "%s:%d" % s.h.door(), "-connect", "allowed.test:443", "-CAfile", s.h.ca,
            "-servername", "allowed.test", "-verify_return_error", "-ign_eof"]
    request = "GET / HTTP/1.1\r\nHost: allowed.test\r\nConnection: close\r\n\r\n"
    own = ["setpriv", f"--reuid={WORKLOAD_UID}", "--clear-groups"]
    os.chmod(os.path.dirname(kept), 0o777)
    first = subprocess.run([*own, *base, "-sess_out", kept], input=request, capture_output=True, text=True, check=False)
    then = subprocess.run([*own, *base, "-sess_in", kept], input=request, capture_output=True, text=True, check=False)
    assert "New, TLSv1.3" in first.stdout and "200 Whatever" in first.stdout, first
    assert "Reused, TLSv1.3" in then.stdout and "200 Whatever" in then.stdout, then


@promise
def a_session_of_one_name_opens_no_other():
    context = s.h.client_context()
    session = earn(context)
    context.check_hostname = False
    with resume(context, session, "denied.test:443") as c:
        answer = c.request("GET", "/", "denied.test")
        assert (answer.status, answer.reason) == (403, "host_not_allowed")
    with resume(context, session) as c:
        assert c.request("GET", "/", "denied.test").reason == "names_disagree"


@promise
def a_session_in_other_hands_is_judged_as_theirs():
    context = s.h.client_context()
    session = earn(context)
    with resume(context, session, uid=OTHER_UID) as c:
        answer = c.request("GET", "/", "allowed.test")
        assert (answer.status, answer.reason) == (403, "caller_not_allowed"), answer.line


@promise
def a_session_ends_with_its_generation():
    context = s.h.client_context()
    session = earn(context)
    assert s.h.reload(s.config())["msg"] == "config reloaded"
    with resume(context, session) as c:
        assert not c.sock.session_reused
        assert c.request("GET", "/", "allowed.test").status == 200


@promise
def tls_1_2_is_not_resumed():
    context = s.h.client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    session = earn(context)
    with resume(context, session) as c:
        assert not c.sock.session_reused
        assert c.request("GET", "/", "allowed.test").status == 200


# ---- towards services

def connections_for(n, **config):
    """How the service saw the connections of n requests, one after the other, of one worker."""
    assert s.h.reload(s.config(**config))["msg"] == "config reloaded"
    s.origin.forget()
    with s.h.tls() as c:
        for _ in range(n):
            assert c.request("GET", "/", "allowed.test").status == 200
    return [connection.resumed for connection in s.origin.connections]


@promise
def a_services_session_is_resumed_by_the_next_connection():
    assert connections_for(4) == [False, True, True, True]


@promise
def that_of_tls_1_2_is_not():
    """There the service has the first word after a shorter handshake."""
    context, s.origin._context = s.origin._context, s.origin._make_context(s.ws.leaf("allowed.test"), None,
                                                                           ssl.TLSVersion.TLSv1_2, None)
    assert connections_for(3) == [False, False, False]
    s.origin._context = context


@promise
def it_may_be_forbidden():
    assert connections_for(3, limits="sessions = 0;") == [False, False, False]


@promise
def a_service_that_has_forgotten_is_verified_anew():
    assert connections_for(2) == [False, True]
    with s.h.tls() as c:
        assert c.request("GET", "/", "allowed.test").status == 200
        s.origin._context = s.origin._make_context(s.ws.leaf("allowed.test"), None, None, None)
        s.origin.forget()
        assert c.request("GET", "/", "allowed.test").status == 200
        s.origin._context = s.origin._make_context(s.ws.leaf("elsewhere.test"), None, None, None)
        answer = c.request("GET", "/", "allowed.test")
        assert (answer.status, answer.reason) == (502, "upstream_certificate"), answer.line
        s.origin._context = s.origin._make_context(s.ws.leaf("allowed.test"), None, None, None)
    assert [connection.resumed for connection in s.origin.connections if connection.requests] == [False]


@promise
def what_has_a_credential_and_what_has_none_resume_nothing_of_each_other():
    signed = s.rule(paths='["/signed"]', more='credential = "orders"; bind = ["wimse"]; inject = "always";')
    plain = s.rule(paths='["/plain"]')
    assert s.h.reload(s.config(rules=f"{signed}, {plain}"))["msg"] == "config reloaded"
    s.origin.forget()
    with s.h.tls() as c:
        for path in ("/plain", "/signed", "/plain", "/signed"):
            assert c.request("GET", path, "allowed.test").status == 200
    assert [connection.resumed for connection in s.origin.connections] == [False, False, True, True]


@promise
def two_grants_resume_nothing_of_each_other():
    one = grant(s.rule(paths='["/one"]'))
    two = grant(s.rule(paths='["/two"]')).replace('name = "tests"', 'name = "others"')
    assert s.h.reload(s.config(grants=f"{one}, {two}"))["msg"] == "config reloaded"
    s.origin.forget()
    with s.h.tls() as c:
        for path in ("/one", "/two", "/one", "/two"):
            assert c.request("GET", path, "allowed.test").status == 200
    assert [connection.resumed for connection in s.origin.connections] == [False, False, True, True]


main(s.end)
