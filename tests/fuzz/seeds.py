#!/usr/bin/env python3
"""seeds.py DIRECTORY: first inputs for every fuzz target, from tests/vectors and from what is written here, as
DIRECTORY/<target>/. The corpus began with these; docs/FUZZING.md says how it is grown and made small."""

import base64
import hashlib
import json
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parent.parent
VECTORS = TESTS / "vectors"
OUT = pathlib.Path(sys.argv[1])


def put(target, data):
    data = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    folder = OUT / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def rows(path):
    return json.loads((VECTORS / path).read_text())


def requests():
    for line in (VECTORS / "http1-framing/cases.jsonl").read_text().splitlines():
        raw = base64.b64decode(json.loads(line)["raw_b64"])
        if len(raw) > 3000:
            continue
        put("request", raw)
        put("upstream", raw)
        head, _, body = raw.partition(b"\r\n\r\n")
        if b"chunked" in head.lower() and body:
            put("chunked", body)


def handshakes():
    opening = ("GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
    for tail in ("\r\n", "\r\n\x02\x05hello", "Sec-WebSocket-Protocol: a, token, b\r\n\r\nGET / HTTP/1.1\r\n\r\n",
                 "Content-Length: 5\r\n\r\nhello"):
        for target in ("request", "upstream"):
            put(target, opening + tail)
            put(target, opening.replace("13", "8") + tail)


def answers():
    heads = ["HTTP/1.1 200 OK", "HTTP/1.0 200 OK", "HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified",
             "HTTP/1.1 404", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK",
             "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 500 No", "HTTP/1.1 101 Switching Protocols"]
    tails = ["Content-Length: 5\r\n\r\nhello", "Content-Length: 0\r\n\r\n", "Connection: close\r\n\r\nuntil the end",
             "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
             "Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n\r\n",
             "Connection: x-a, close\r\nX-A: 1\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nno", "\r\n"]
    for head in heads:
        for tail in tails:
            for asked in "\0\1\2\3":
                put("response", f"{asked}{head}\r\n{tail}")
            put("answer", f"\0{head}\r\n{tail}")
            put("answer", f"\2{head}\r\n{tail}")


def handles():
    own, foreign = "ghp_own_handle_of_1000", "crm_handle_of_1001_only"
    for handle in (own, foreign):
        basic = base64.b64encode(f"user:{handle}".encode()).decode()
        for line in (f"Authorization: Bearer {handle}", f'Authorization: Token token="{handle}", nonce="def"',
                     f"Authorization: Basic {basic}", f"Authorization: basic {basic[:9]} {basic[9:].rstrip('=')}",
                     f"X-Auth: user:{handle}", f"X-Plain: {handle}", f"Cookie: a=b; session={handle}; c=d", f"Accept: {handle}",
                     f"?a=b&token={handle}", f"?a=b;api_key={handle.replace('_', '%5F')}", f"?key={handle.replace('_', '%255f')}",
                     f"?X-Amz-Credential={handle}&authorization=Bearer+{handle}"):
            put("handle", line)
            put("handle", f"Accept: */*\n{line}\nx_api_key: {own}\n?token={foreign}")


def names():
    hosts = [row["host"] for row in rows("ssrf/hosts.json")["cases"]]
    for name in ("egress-targets/host-tricks.tsv", "egress-targets/metadata-endpoints.tsv"):
        hosts += [line.split("\t")[0] for line in (VECTORS / name).read_text().splitlines()[1:] if line]
    for case in rows("authority/cases.json")["cases"]:
        hosts += [case[key] for key in ("connect", "sni", "host_or_authority") if isinstance(case.get(key), str)]
    for host in hosts:
        put("authority", host)
        put("authority", host + ":8443")
        put("address", host.strip("[]"))
    ranges = rows("ssrf/ranges.json")
    for row in ranges.get("ranges", ranges.get("deny", [])):
        put("address", row["cidr"])
    for address in ranges["must_stay_allowed"]:
        put("address", address)


def paths():
    for path in ("/", "*", "/a/b?c=d", "/a/./b/../c", "/%41%2e%2e/%7e", "/a%2fb", "/a%252fb", "/..%2f", "/a;x/..;y/b",
                 "//a//b/", "/a\\b", "/%5c", "/%00", "/a%", "/%zz", "/a?b?c#", "/..", "/a/..", "/a/.", "/%25%32%65",
                 "/.%2e/x", "/a/%2e%2e%2fb", "/%c3%a9", "/a?%zz[]{}|\\^`\"<>", "/\u00e9", "/a b"):
        put("path", path)


def values():
    for text in ('{"a":1,"b":[true,false,null,-1.5e3],"c":{"d":"e"}}', '{"a":1,"a":2}', "[" * 33 + "]" * 33,
                 '"\\u0000"', '"\\ud83d\\ude00"', '{"a":"\u2028"}', "9007199254740993", "[1,]", '{"a":1}x', '"\\n\\"\\\\"',
                 "1e400", '{"\\u0061":1,"a":2}'):
        put("json", text)


def plain(literal):
    """What a C string literal stands for."""
    return literal.replace("\\n", "\n").replace('\\"', '"').replace("\\t", "\t")


def configs():
    """The examples, cut anywhere between two lines; the whole config of the unit tests, and every row of theirs that
    spoils it."""
    for example in sorted((TESTS.parent / "conf/examples").glob("*.conf")):
        text = example.read_text()
        put("config", text)
        put("config", text.replace("\n", "\r\n"))
        put("config", text + "\n====\n" + text)
        put("config", text + '\n====\ngrants = ( { name = "b"; } );\n')
        lines = text.splitlines(keepends=True)
        for i in range(len(lines)):
            put("config", "".join(lines[:i]))
    literal = r'"((?:[^"\\]|\\.)*)"'
    whole = (TESTS / "unit/conf/folder.h").read_text().split("whole_config[] =")[1].split("\n\n")[0]
    whole = "".join(plain(part) for part in re.findall(literal, re.sub(r"/\*.*?\*/", "", whole)))
    put("config", whole)
    for old, new in re.findall(r"\{ " + literal + r",\s*" + literal, (TESTS / "unit/conf/test_errors.c").read_text()):
        if plain(old) in whole:
            put("config", whole.replace(plain(old), plain(new), 1))
    for text in ('a = 0x7fffffffffffffffffff;', '@include "/etc/passwd"', '/* open', 'a = "open', "a = ( [ { b = 1; } ] );",
                 "\ufeffworkload = {};", "a = 1L; b : 2.5e3, c = TRUE", "# only\n// comments\n", "a = \"x\" \"y\";",
                 "limits = { connections = -1; };", "log = { level = 1; }; log = {};"):
        put("config", text)


def positions():
    names = re.findall(r'^    "([A-Za-z0-9-]+)",', (TESTS / "unit/filters/test_strip.c").read_text(), re.M)
    for i in range(0, len(names), 8):
        put("strip", "".join(f"{name}: x\n" for name in names[i:i + 8]) + "\n"
            + "&".join(f"{name}=x" for name in names[i:i + 8]))
    put("strip", "Accept: a\nX_Api.Key: b\n\naccess_token=a&b=c;sig=d&%61pi_key=e&to%256ben=f")


def encode(text):
    data = text.encode() if isinstance(text, str) else text
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def tokens():
    wit = ('{"alg":"ES256","kid":"prod.example","typ":"wit+jwt"}',
           '{"iss":"spiffe://prod.example","sub":"spiffe://prod.example/ns/agents/sa/builder","iat":1800000000,'
           '"exp":1800000900,"jti":"wit-1","cnf":{"jwk":JWK},"https://holdfast.dev/claims/ctx":{"grant":"g","owner":"o",'
           '"purpose":"p","task":"t"}}')
    wpt = ('{"alg":"ES256","typ":"wpt+jwt"}',
           '{"wth":"WTH","aud":"https://orders.example/v1/orders","exp":1800000030,"jti":"proof-1",'
           '"https://holdfast.dev/claims/req":{"method":"POST","query":"QUERY","body":"BODY"}}')
    context = (TESTS.parent / "tokens/context.h").read_text()
    for name in ("CLAIM_CONTEXT", "CLAIM_REQUEST"):
        claim = context.split(f"#define {name}")[1].split('"')[1]
        old = "https://holdfast.dev/claims/" + ("ctx" if name == "CLAIM_CONTEXT" else "req")
        wit, wpt = ([part.replace(old, claim) for part in pair] for pair in (wit, wpt))
    good = [*wit, *wpt, "/v1/orders?tenant=7", "", '{"item":1}']
    put("proof", "\n".join(good))
    spoilt = [("ES256", "EdDSA"), ("ES256", "none"), ("1800000900", "1e400"), ("1800000030", "1800000900"), ("JWK", "{}"),
              ('"WTH"', "1"), ('"BODY"', "null"), (',"query":"QUERY"', ""), ("proof-1", "p 1"), ("wpt+jwt", "JWT"),
              ("prod.example", "other.example"), ('"exp"', '"nbf":1,"exp"'), ('"jti":"proof-1"', '"jti":"proof-1","ath":"x"'),
              ('"jti":"proof-1"', '"jti":"proof-1","oth":{"dpop":"x"}'), ("?tenant=7", ""), ('"kid":"prod.example",', ""),
              ('"iat":1800000000', '"iat":1900000000'), ('"alg"', '"crit":["b64"],"alg"')]
    for old, new in spoilt:
        for i in range(5):
            if old in good[i]:
                put("proof", "\n".join([*good[:i], good[i].replace(old, new, 1), *good[i + 1:]]))
    for field, claim in (("Authorization: Bearer abc", '"ath":"OTH"'), ("Authorization: Bearer abd", '"ath":"OTH"'),
                         ("Txn-Token: abc", '"tth":"OTH"'), ("Transaction-Token: abc", '"oth":{"transaction-token":"OTH"}'),
                         ("Api-Key: abc", '"oth":{"api-key":"OTH"}'), ("X-Auth-Token: abc", '"oth":{"x-auth-token":"OTH"}'),
                         ("Api-Key: abc", '"oth":{"api-key":"OTH","x":"y"}'), ("Txn-Token: abc", '"oth":[]')):
        put("proof", "\n".join([*good[:3], good[3].replace('"jti"', claim + ',"jti"'), good[4], field, good[6]]))
    for header in (wit[0], wpt[0], '{"alg":"Ed25519"}', '{"alg":"HS256"}', '{"alg":"ES256","crit":[]}', "[]"):
        put("jws", f'{encode(header)}.{encode(chr(123) + chr(125))}.{encode(bytes(64))}')
    # The base points of both curves.
    x = "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY"
    y = "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"
    put("jws", f'{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}","alg":"ES256","use":"sig"}}')
    put("jws", f'{{"kty":"EC","crv":"P-256","x":"{y}","y":"{x}","kid":"1"}}')
    put("jws", f'{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}","key_ops":["verify"],"d":"{x}"}}')
    put("jws", '{"kty":"OKP","crv":"Ed25519","x":"' + encode(b"\x58" + b"\x66" * 31) + '","alg":"EdDSA"}')
    for name in ("spiffe://prod.example/a/b", "wimse://a.example/x", "spiffe://a/", "spiffe://a@b/c", "spiffe://A.b/%41"):
        put("jws", name)


def access_tokens():
    good = ['{"alg":"ES256","kid":"k","typ":"at+jwt"}',
            '{"iss":"https://as.example","aud":["https://orders.example"],"exp":1800000300,"iat":1800000000,"sub":"builder",'
            '"client_id":"c","jti":"t-1","scope":"a b:c","cnf":{"jkt":"JKT"}}',
            '{"alg":"ES256","jwk":JWK,"typ":"dpop+jwt"}',
            '{"htm":"POST","htu":"https://orders.example/v1/orders","iat":1800000000,"jti":"e1j3V_bKic8","ath":"ATH"}',
            "/v1/orders?tenant=7", 'Bearer realm="a, b", DPoP algs="ES256", error="use_dpop_nonce"',
            '{"active":true,"aud":"https://orders.example","exp":1800000300,"cnf":{"x5t#S256":"' + "A" * 43 + '"},"scope":"a"}']
    put("dpop", "\n".join(good))
    for old, new in (("at+jwt", "JWT"), ("dpop+jwt", "JWT"), ("ES256", "RS256"), ('"kid":"k",', ""), ("JKT", "x"), ("ATH", "x"),
                     ("JWK", '{"kty":"RSA"}'), ("JWK", '{"d":"A"}'), ("https://orders", "HTTPS://ORDERS"), ("example/v1", "example:443/v1"),
                     ("/v1/", "/v1/../%76%31/"), ("example/v1", "example./v1"), ("https://", "https://a@"), ("1800000000", "1799999939"),
                     ("1800000000", "1800000006"), ("1800000000", "1.8e9"), ("1800000300", "1e400"), ("true", "false"), ('"jti":', '"jti":"a","jti":'),
                     ("POST", "post"), ("DPoP algs", "DPoP abc==, algs"), ('"use_dpop_nonce"', "use_dpop_nonce"), ('"a, b"', '"a\\", b')):
        for i, part in enumerate(good):
            if old in part:
                put("dpop", "\n".join([*good[:i], part.replace(old, new, 1), *good[i + 1:]]))
    put("jws", '{"keys":[{"kty":"RSA","e":"AQAB","n":"' + encode(b"\xc1" + b"\x01" * 255) + '","kid":"a","alg":"PS256"},{"kty":"AKP"}]}')
    put("jws", '{"kty":"RSA","e":"AQAB","n":"' + encode(b"\xc1" + b"\x01" * 255) + '"}')


def structured():
    for kind, fields in (("\0", ("-12.345;a=1;b=?0;c=\"x\\\"y\"", "@1659578233;until=@-5", "%\"f%c3%bc\";k", ":aGVsbG8=:;type=*/*",
                                "\"@query-param\";name=\"a b\";req", "?1", "tok/en:*", "123456789012.5")),
                         ("\1", ("a, (b c;x  \"d\");y=1, ?1;z, 1.5", "text/html;q=0.5 \t, */*;q=0.1", "", "()", "1,")),
                         ("\2", ("sig1=(\"@method\" \"content-digest\");created=16;keyid=\"k\";alg=\"ed25519\"",
                                "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:, sha-512=::", "a, b;x, c=?0, *d.e-f_g=(1 2), a=3"))):
        for field in fields:
            put("structured", kind + field)


def signatures():
    times, body = ';created=1800000000;expires=1800000060;nonce="n"', '{"item":1}'
    wimse = ';tag="wimse-workload-to-workload";wimse-aud="https://orders.example"'
    covers = '"@method" "@request-target" "content-type" "content-digest" "workload-identity-token"'
    fields = "Content-Type: a/b\nContent-Digest: DIGEST\nAccept: a\nAccept: b\nPriority: u=1, i\n"
    plain = '"@method" "@target-uri" "content-digest"'
    for choice, told in (("\3", f"({covers}){times}{wimse}"), ("\3", f"({covers} \"accept\";bs \"priority\";sf){times}{wimse}"),
                         ("\2", f'({plain}){times};keyid="k"'), ("\2", f'({plain} "@query-param";name="a" "priority";key="u"){times};keyid="k"'),
                         ("\2", f'({plain} "@authority" "@path" "@query" "@scheme" "host" "content-length"){times};keyid="k";alg="ecdsa-p256-sha256"'),
                         ("\6", f'({plain}){times};keyid="k"'), ("\2", f'(){times};keyid="k"'), ("\2", '("@method" "@target-uri");created=1800000000;keyid="k"')):
        put("signature", f"{choice}{told}\n/v1/orders?a=1&b=%20\n{fields}\n{body}")
        put("signature", f"{choice}{told}\n/v1/orders?a=1&b=%20\n{fields}Authorization: Bearer t\n\n{body}")
    put("signature", '\0("@method" "@target-uri");created=1800000000;keyid="k"\n/\n\n')
    put("signature", "\x08\n/\nSignature-Input: a=(), b=()\nSignature: a=:AAAA:, b=:AAAA:\n\n")


def name_of(text):
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".") if part) + b"\0"


def record(owner, kind, data):
    return owner + struct.pack(">HHIH", kind, 1, 1, len(data)) + data


def queries():
    """To a dns door; the first byte says what is answered."""
    name, opt = name_of("allowed.test"), b"\0\0\x29\4\xd0\0\0\0\0"

    def message(question, flags=0x0100, counts=(1, 0, 0, 0), more=b""):
        return b"\x12\x34" + struct.pack(">HHHHH", flags, *counts) + question + more

    for kind in (1, 28, 65, 255):
        question = name + struct.pack(">HH", kind, 1)
        for how in (0, 8, 5, 0x78, 0xff):
            put("query", bytes([how]) + message(question))
            put("query", bytes([how]) + message(question, 0x0120, (1, 0, 0, 1), opt + b"\0\0"))
            put("query", bytes([how]) + message(question, 0x0110, (1, 0, 0, 1), opt + b"\0\x0c\0\x0a\0\x08abcdefgh"))
    good = name + b"\0\1\0\1"
    for other in (message(good, 0x8180), message(good, 0x2800), message(good, 0x0300), message(good, counts=(2, 0, 0, 0), more=good),
                  message(b"", counts=(0, 0, 0, 0)), message(good, counts=(1, 1, 0, 0)), message(good, more=b"x"), message(good[:-1]),
                  message(b"\0\0\1\0\1"), message(b"\xc0\x0c\0\1\0\1"), message((b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"b" * 61 + good[-5:]),
                  message((b"\x3f" + b"a" * 63) * 4 + good[-5:]), message(b"\5a.b\xff\x0a" + good),
                  message(good, counts=(1, 0, 0, 1), more=opt.replace(b"\xd0\0\0", b"\xd0\0\1") + b"\0\0"),
                  message(good, counts=(1, 0, 0, 1), more=opt + b"\0\3\0\1\0"), message(good, counts=(1, 0, 0, 1), more=good), b"", b"\0" * 11):
        put("query", b"\0" + other)


def nameserver():
    here = b"\xc0\x0c"
    a, b = record(here, 1, bytes([192, 0, 2, 1])), record(here, 1, bytes([169, 254, 169, 254]))
    aaaa = record(here, 28, bytes.fromhex("26064700470000000000000000001111"))
    chain = record(here, 5, name_of("b.test")) + record(name_of("b.test"), 1, bytes([192, 0, 2, 2]))
    meta = record(here, 5, name_of("metadata.google.internal")) + record(name_of("metadata.google.internal"), 1,
                                                                          bytes([192, 0, 2, 3]))
    loop = record(here, 5, b"\xc0\x0c")

    def message(count, records, flags=0x8180, more=b""):
        return struct.pack(">HHHHH", flags, 1, count, 0, 0) + records + more

    def whole(first, second):
        n = len(first) + len(second)
        for byte in range(256):
            if (byte * n + 127) // 255 == len(first):
                put("dns", bytes([byte]) + first + second)
                return

    none = message(0, b"")
    for first in (message(1, a), message(2, a + b), message(2, chain), message(2, meta), message(1, loop),
                  message(0, b"", 0x8183), message(0, b"", 0x8182), message(0, b"", 0x8380), message(9, a), message(1, a[:-2]),
                  message(1, a, more=b"x" * 40), none, b"\x81", message(60, a * 60)):
        for second in (message(1, aaaa), none, message(0, b"", 0x8183), message(2, meta.replace(b"\0\1\0\1", b"\0\x1c\0\1"))):
            whole(first, second)


def questions():
    members = ('"verb":"VERB"', '"wait":true', '"denied":false', '"grant":"nightly"', '"host":"api.example:443"', '"wait":"true"',
               '"host":7', '"wiat":true', '"verb":7', '"grant":"\\u0000"', '"host":"\\ud83d\\ude00\\n"')
    for verb in ("status", "reload", "tail", "drain", "Status", ""):
        for member in members:
            put("question", "{" + members[0].replace("VERB", verb) + ("," + member if member != members[0] else "") + "}")
    full = '"grant":"nightly","purpose":"testing","ttl":"15m","max_requests":9,"uid":1000,"lease":true'
    for wrong in ("", '"max_requests":"9"', '"max_requests":9.5', '"max_requests":1e300', '"uid":-1', '"uid":9223372036854775808',
                  '"lease":1', '"ttl":900', '"tll":"15m"', '"uid":1000'):
        put("question", '{"verb":"task_start",' + full + ("," + wrong if wrong else "") + "}")
        put("question", '{"verb":"task_start"' + ("," + wrong if wrong else "") + "}")
    for verb, asked in (("task_end", '"id":"t-AAAAAAAAAAAAAAAAAAAAAA"'), ("task_show", '"id":"t-AAAAAAAAAAAAAAAAAAAAAA"'),
                        ("task_list", '"grant":"nightly"'), ("task_revoke", '"all":true'), ("task_revoke", '"grant":"nightly"'),
                        ("task_revoke", '"all":true,"grant":"nightly"'), ("task_end", '"id":7'), ("task_list", '"id":"t-1"')):
        put("question", '{"verb":"' + verb + '",' + asked + "}")
    for line in ("", "status", "[]", "{}", '{"verb":"status"}\r', '{"verb":"status"} {}', '{"verb":"tail","verb":"tail"}'):
        put("question", line)


def openssl(*command, stdin=b""):
    return subprocess.run(("openssl", *command), input=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


def pem():
    """Keys and certificates made for nothing else; no two runs give the same."""
    curves = {curve: openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}")
              for curve in ("P-256", "P-384", "secp256k1")}
    good, other = curves["P-256"], openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    traditional = openssl("ec", stdin=good)
    keys = [*curves.values(), traditional, openssl("ec", "-conv_form", "compressed", stdin=good),
            openssl("ec", "-param_enc", "explicit", stdin=good), openssl("ec", "-no_public", stdin=good),
            openssl("genpkey", "-algorithm", "ED25519"), openssl("genrsa", "1024"),
            openssl("pkcs8", "-topk8", "-passout", "pass:x", stdin=good),
            openssl("ec", "-aes128", "-passout", "pass:x", stdin=good), openssl("pkey", "-pubout", stdin=good),
            openssl("ecparam", "-name", "prime256v1") + traditional]
    # The public half of another key.
    def der(text):
        return base64.b64decode(b"".join(text.splitlines()[1:-1]))
    body = base64.encodebytes(der(traditional)[:-64] + der(openssl("ec", stdin=other))[-64:])
    keys.append(b"-----BEGIN EC PRIVATE KEY-----\n" + body + b"-----END EC PRIVATE KEY-----\n")
    for key in keys:
        put("pem", key)
    put("pem", good.replace(b"\n", b"\r\n"))
    put("pem", b"text before\n" + good + b"text behind\n")
    put("pem", good[:-30])
    with tempfile.NamedTemporaryFile() as key:
        key.write(good)
        key.flush()
        one, two = (openssl("req", "-x509", "-key", key.name, "-subj", f"/CN={name}", "-days", "1") for name in "ab")
        plain = openssl("req", "-new", "-key", key.name, "-subj", "/CN=c")
    trusted = openssl("x509", "-trustout", stdin=one)
    for text in (one, one + two, one + one, one + b"# a remark\n\n" + two, one + good, one + two[:-40], trusted, plain, one + plain,
                 one.replace(b"M", b"N", 1), b"", b"\n", b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"):
        put("pem", text)


def vector(data, size):
    return len(data).to_bytes(size, "big") + data


def hellos():
    def entry(name, kind=0):
        return bytes([kind]) + vector(name, 2)

    good = vector(entry(b"api.example"), 2)
    extensions = [good, vector(entry(b"a"), 2), vector(entry(b""), 2), vector(entry(b"a") + entry(b"b"), 2), vector(entry(b"a", 1), 2),
                  good + b"\0", good[:-1], b"\0\1" + good[2:], b"\1" + good[1:], b"\0\x0f" + good[2:], b"", b"\0\0", vector(entry(b"a\0b"), 2), vector(entry(b"x" * 255), 2),
                  vector(entry(b"x" * 2000), 2), vector(entry(b"127.0.0.1"), 2), vector(entry(b"api.example."), 2)]
    for extension in extensions:
        for cut in (b"\x01", b"\xff"):
            put("hello", cut + extension)
    for server_name in (*extensions, None):
        for versions in (b"\x02\x03\x04", b"\x02\x03\x03", None):
            both = [(0, server_name), (10, b"\0\4\0\x1d\0\x17"), (13, b"\0\4\4\3\x08\7"), (16, b"\0\x0c\2h2\x08http/1.1"),
                    (43, versions), (51, b"\0\x24\0\x1d" + vector(b"k" * 32, 2))]
            block = b"".join(struct.pack(">H", kind) + vector(body, 2) for kind, body in both if body is not None)
            body = b"\3\3" + b"r" * 32 + vector(b"s" * 32, 1) + vector(b"\x13\1\xc0\x2b", 2) + b"\1\0" + vector(block, 2)
            message = b"\1" + vector(body, 3)
            put("hello", b"\0\x16\3\1" + vector(message, 2))
            put("client_hello", b"\x90\x16\3\1" + vector(message, 2))
            if server_name == good:
                put("hello", b"\0" + b"".join(b"\x16\3\1" + vector(part, 2) for part in (message[:9], message[9:])))
                put("hello", b"\0\x16\3\1" + vector(message[:-9], 2))
    put("hello", b"\0\x80\x2e\1\3\1")
    put("hello", b"\0GET / HTTP/1.1\r\n\r\n")


def client_hellos():
    recorded = (TESTS / "unit/http/hellos.h").read_text()
    for row in re.findall(r'(?:"[0-9a-f]{16,}"\s*)+', recorded):
        hello = bytes.fromhex("".join(re.findall("[0-9a-f]{2}", row)))
        message = hello[5:]
        for first in (b"\x02", b"\x80", b"\xf0"):
            put("client_hello", first + hello)
        put("client_hello", b"\x40" + hello + b"\x17\3\3\0\2hi")
        for n in (-(-len(message) // 8), 1 + len(message) // 2):
            put("client_hello", b"\xc0" + b"".join(b"\x16\3\1" + vector(message[at:at + n], 2) for at in range(0, len(message), n)))
        put("client_hello", b"\xff" + hello[:-20])


def ledgers():
    """Whole ones under the key that the target knows, and each of them spoilt in some way."""
    sys.path.insert(0, str(TESTS / "integration"))
    from ledger import Key, Writer, name_of

    with tempfile.TemporaryDirectory() as folder:
        w = Writer(folder, Key(20261122))
        parts = []
        for torn in (b"", b'{"seq":9,"pr', b""):
            w.begin()
            w.put("grant", name="g", owner="o")
            w.put("lost", records=2)
            w.put("decision", verdict="allow", path="/")
            if torn:
                w.checkpoint()
                w.tear(torn)
            else:
                w.end()
            parts.append((pathlib.Path(folder) / name_of(w.segment)).read_bytes())
    mark = b"====\n"
    for n in range(1, 4):
        put("audit", mark.join(parts[:n]))
    put("audit", mark.join([parts[1], parts[0], parts[2]]))
    put("audit", mark.join([parts[0], b"", parts[2]]))
    put("audit", mark.join([parts[0], parts[1], parts[1], parts[2]]))
    put("audit", b"".join(parts))
    first = parts[0].splitlines(keepends=True)
    for i in range(len(first)):
        put("audit", b"".join(first[:i] + first[i + 1:]))
        put("audit", b"".join(first[:i] + first[i:i + 2][::-1] + first[i + 2:]))
        put("audit", b"".join(first[:i] + first[i:i + 1] + first[i:]))


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def head(stream, fields, flags=5, literal=b"\0"):
    block = b"".join(literal + vector(name.encode(), 1) + vector(value.encode(), 1) for name, value in fields)
    return frame(1, flags, stream, block)


def frames():
    """Of HTTP/2: the rows of the unit tests' heads, and every kind of frame behind a good one. The first byte says: 1 the
    preface is ours, 2 cut into pieces."""
    get = [(":method", "GET"), (":scheme", "https"), (":authority", "a.test"), (":path", "/?a=b")]
    post = [(":method", "POST"), *get[1:]]
    socket = [(":method", "CONNECT"), (":protocol", "websocket"), *get[1:], ("sec-websocket-version", "13")]
    connect = [(":method", "CONNECT"), (":authority", "a.test:443")]
    data = frame(0, 1, 1, b"hello")
    questions = [head(1, connect, 4) + data, head(1, [*connect, ("content-length", "1")], 4) + data, head(1, [*connect, (":path", "/")]),
                 head(1, [(":method", "CONNECT"), (":authority", "a@b:1")]), head(1, [*get, ("te", "trailers"), ("trailer", "x")]),
                 head(1, [*get, ("te", "gzip")]), head(1, [*post, ("expect", "100-continue")], 4) + data,
                 head(1, [(":method", "OPTIONS"), *get[1:3], (":path", "*")]), head(1, [*get, ("host", "b.test")]),
                 head(1, [(":protocol", "connect-udp"), *connect[:1], *get[1:]], 4), head(1, post, 4) + head(1, [("x", "y")], 4) + data,
                 head(1, get), head(1, post, 4) + data, head(1, [*post, ("content-length", "5")], 4) + data, head(1, socket, 4) + data,
                 head(1, [*post, ("content-length", "4")], 4) + data, head(1, [*get, ("cookie", "a=b"), ("cookie", "c")]),
                 head(1, post, 4) + frame(0, 0, 1, b"abc") + head(1, [("x-sum", "1")]), head(1, get, literal=b"\x10"),
                 head(1, get, literal=b"\x40") + head(3, []) + frame(1, 5, 5, b"\xc1\xc0\xbf\xbe"),
                 head(1, get, 1)[:-7] + frame(9, 4, 1, b"x"), frame(1, 0, 1) + frame(9, 0, 1) * 9]
    answers = [head(1, [(":status", "100")], 4) + data, head(1, [(":status", "102")], 4) * 18, head(1, [(":status", "200")], 4) * 2,
               head(1, [(":status", "200"), ("content-length", "x")], 4), head(1, [(":status", "200")], 4) + data, head(1, [(":status", "204")]), head(1, [(":status", "100")], 4)
               + head(1, [(":status", "200"), ("content-length", "5")], 4) + data, head(1, [(":status", "101")], 4),
               head(1, [(":status", "200")], 4) + frame(0, 0, 1, b"a") + head(1, [("grpc-status", "0")]),
               head(1, [(":status", "304"), ("content-length", "5")]) + head(3, [(":status", "200")], 4) + frame(0, 1, 3)]
    others = [frame(3, 0, 1, struct.pack(">I", 7)), frame(7, 0, 0, struct.pack(">II", 1, 0)), frame(7, 0, 0, struct.pack(">II", 2**31 - 1, 0)),
              frame(8, 0, 1, struct.pack(">I", 2**31 - 1)), frame(8, 0, 0, struct.pack(">I", 1)), frame(8, 0, 1, bytes(4)),
              frame(6, 0, 0, b"12345678"), frame(6, 1, 0, b"12345678"), frame(4, 1, 0), frame(4, 0, 0, b"\0\1\0\0\0\0\0\4\0\0\0\0\0\3\0\0\0\1"),
              frame(2, 0, 3, bytes(5)), frame(5, 4, 1, bytes(4)), frame(0, 8, 1, b"\3a\0\0\0"), frame(0, 1, 1), frame(0x42, 0, 9, b"?"), b"\0\xff\xff"]
    upper = re.findall(r'\{ (GET|POST)?\s*"((?:[^"\\]|\\.)*)",\s*REASON', (TESTS / "unit/http/test_http2_heads.c").read_text())
    for method, lines in upper:
        fields = [*({"GET": get, "POST": post}.get(method, [])), *((*line.split(": ", 1), "")[:2] for line in lines.split("|") if line)]
        put("h2_server", b"\1" + head(1, [(name, value.encode().decode("unicode_escape")) for name, value in fields]))
    for target, messages in (("h2_server", questions), ("h2_client", answers)):
        for kind in (b"\1", b"\3", b"\x29", b"\xff"):
            for message in messages:
                put(target, kind + message)
        for other in others:
            for message in messages[:3]:
                put(target, b"\1" + message + other)
                put(target, b"\x2d" + other + message)
                put(target, b"\1" + message + other * 3 + b"\xd0" * 3 + message)
    settings = frame(4, 0, 0)
    put("h2_server", b"\0PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + questions[0])
    put("h2_server", b"\0GET / HTTP/1.1\r\n\r\n")
    put("h2_client", b"\0" + settings + answers[0])
    put("h2_client", b"\0HTTP/1.1 400 No\r\n\r\n")


def cgroups():
    container, other = "0123456789abcdef" * 4, "fedcba9876543210" * 4
    pod = "7d9c1a52-0f3e-4b1d-8f43-6f2d1f0b9c11"
    below = pod.replace("-", "_")
    paths = [f"/docker/{container}", f"/system.slice/docker-{container}.scope", f"/kubepods/burstable/pod{pod}/{container}",
             f"/kubepods.slice/kubepods-pod{below}.slice/cri-containerd-{container}.scope", f"/../crio-{container}.scope",
             f"/system.slice/kubepods-pod{below}.slice:cri-containerd:{container}", f"/docker/{other}/kubepods/pod{pod}/{container}",
             f"/machine.slice/libpod-{container}.scope/container", f"/system.slice/crio-conmon-{container}.scope", "/", "/user.slice",
             f"/docker/{container} (deleted)"]
    for first in (b"\xff", b"\0", b"\x20"):
        for path in paths:
            put("cgroup", first + f"0::{path}\n".encode())
            put("cgroup", first + f"2:cpu,cpuacct:{path}\n1:name=systemd:/\n0::/system.slice\n".encode())
            put("cgroup", first + f"2:cpu:{path}\n1:pids:/docker/{other}\n0::{path}".encode())


for derive in (requests, handshakes, answers, frames, handles, names, paths, values, configs, positions, tokens, access_tokens, structured, signatures, nameserver, queries, questions, pem, hellos, client_hellos, ledgers, cgroups):
    derive()
