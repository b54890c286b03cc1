/* Every way a config is wrong: which line is named, which key, and what the operator is
 * told to write. One slip, one message. */
#include "folder.h"

static void
expect(const char *text, unsigned line, const char *key, const char *fragment)
{
    folder_expect(&folder, text, line, key, fragment, 1);
}

/* ---- syntax: whole files */

static const struct {
    const char *text;
    unsigned line;
    const char *fragment;
} syntax_rows[] = {
    { "a = [\"x\", \"y\",];\n", 1, "a comma stands before the closing ]: remove it" },
    { "a = (\n  { b = 1; },\n);\n", 2,
      "a comma stands before the closing ): remove it" },
    { "a = \"open;\nb = \"x\";\n", 1, "this string does not end on its line" },
    { "a = \"one\";\nb = \"", 2, "this string does not end on its line" },
    { "a = { b = 1;\n\nc = 2;\n", 1, "this { is never closed: a } is missing" },
    { "a = [\"x\", \"y\";\nb = 1;\n", 1,
      "a comma or ] is expected here (the [ is on line 1)" },
    { "a = (\n { b = 1; ) };\n", 2, "a ) closes the { of line 2: write } first" },
    { "a = ( { b = 1; } { b = 2; } );\n", 1, "a comma or ) is expected here" },
    { "a = 1;\n};\n", 2, "nothing is open that this } closes" },
    { "a = 1;;\n", 1, "a key is expected here" },
    { "ttl = 30s;\n", 1, "a value with a unit is written \"30s\"" },
    { "head = 64k;\n", 1, "a value with a unit is written \"64k\"" },
    { "a = 1.5;\n", 1, "write a whole number" },
    { "a = yes;\n", 1, "write true instead of yes" },
    { "a = Off;\n", 1, "write false instead of Off" },
    { "a = GET;\n", 1, "a string stands in quotes: write \"GET\"" },
    { "a = 'x';\n", 1, "a string stands in double quotes" },
    { "a \"x\";\n", 1, "a = is missing after a" },
    { "a = ;\n", 1, "a value is expected here" },
    { "a = [ { b = 1; } ];\n", 1, "a list of groups or lists is written ( ... )" },
    { "a = 1;\na = 2;\n", 2, "this key stands twice in its group" },
    { "a = [1, \"x\"];\n", 1, "the elements of one list are of one type" },
    { "/* a\n b\n", 1, "this comment is never closed" },
    { "a = 1;\n@include \"other.conf\"\n", 2, "put the file into conf.d" },
    { "a = \"x\\x00y\";\n", 1, "\\x is not taken here" },
    { "a = \"C:\\dir\";\n", 1, "no such escape" },
    { "a = \"\xff\";\n", 1, "the byte 0xff is not UTF-8" },
    { "a = \"\xc0\x80\";\n", 1, "the byte 0xc0 is not UTF-8" },
    { "a = \"\xed\xa0\x80\";\n", 1, "the byte 0xed is not UTF-8" },
    { "a = 1;\nb = \"\x1b[31m\";\n", 2, "the control byte 0x1b has no place here" },
    { "a = 3000000000;\n", 1, "3000000000 needs a suffix: write 3000000000L" },
    { "a = 0xffffffff;\n", 1, "0xffffffff needs a suffix" },
    { "a = -2147483649;\n", 1, "needs a suffix" },
    { "a = 9999999999999999999L;\n", 1, "larger than any number here" },
    { "# c\n\na = 4294967296;\n", 3, "needs a suffix" },
    { "a = ((((((((((((((((( 1 )))))))))))))))));\n", 1, "nested deeper than 16" },
};

static void
a_slip_of_syntax_is_named_with_its_line_and_what_to_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof syntax_rows / sizeof *syntax_rows; i++)
        expect(syntax_rows[i].text, syntax_rows[i].line, "", syntax_rows[i].fragment);
}

static void
a_syntax_error_shows_the_line_before_it_the_line_and_a_caret(void **state)
{
    (void)state;
    folder_write(&folder, "main.conf", "a = \"\xc3\xa4\";\n\tb = yes;\nc = 1;\n");
    assert_int_equal(folder_load(&folder), REASON_CONFIG);
    assert_string_equal(folder_report(&folder),
                        "main.conf:2: write true instead of yes\n"
                        "    a = \"\xc3\xa4\";\n"
                        "    \tb = yes;\n"
                        "    \t    ^\n");
}

static void
a_value_that_is_shown_does_not_move_the_terminal(void **state)
{
    char *text = whole_with("\"2027-02-20\"", "\"2027\r\\r\\f\"");

    (void)state;
    folder_write(&folder, "main.conf", text);
    assert_int_equal(folder_load(&folder), REASON_CONFIG);
    assert_non_null(strstr(folder_report(&folder), "main.conf:24: "));
    assert_non_null(strstr(folder_report(&folder), "2027???"));
    free(text);
}

static void
every_wrapped_integer_of_a_file_is_named(void **state)
{
    const char *said;

    (void)state;
    folder_write(&folder, "main.conf", "a = 3000000000;\nb = 1;\nc = 5000000000;\n");
    assert_int_equal(folder_load(&folder), REASON_CONFIG);
    said = folder_report(&folder);
    assert_non_null(strstr(said, "main.conf:1: 3000000000 needs"));
    assert_non_null(strstr(said, "main.conf:3: 5000000000 needs"));
}

static void
what_stands_behind_a_nul_is_not_silently_cut_off(void **state)
{
    static const char text[] = "a = 1;\n\0grants = ();\n";

    (void)state;
    folder_write_bytes(&folder, "main.conf", text, sizeof text - 1);
    assert_int_equal(folder_load(&folder), REASON_CONFIG);
    assert_non_null(
        strstr(folder_report(&folder), "main.conf:2: the control byte 0x00"));
}

static void
numbers_and_brackets_inside_strings_and_comments_are_nobodys_business(void **state)
{
    char *text = whole_with("\"write orders\"",
                            "\"9999999999 [ ( { 30s \\\" yes\" /* 9999999999 ) \" */ "
                            "# 9999999999 \" {\n// ( \"\n");

    (void)state;
    folder_write(&folder, "main.conf", text);
    assert_int_equal(folder_load(&folder), REASON_OK);
    free(text);
}

/* ---- meaning: the whole config with one thing spoiled */

#define DOOR  "doors[0]"
#define GATE  "doors[1]"
#define RULE  "grants[0].rules[0]"
#define PLAIN "grants[0].rules[1]"

/* A ledger with a witness at this URL. */
#define WITNESS(url) "keep = \"/run/ledger\"; witness = { url = \"" url "\"; };"

static const struct {
    const char *from, *to;
    unsigned line;
    const char *key, *fragment;
} rows[] = {
    /* unknown keys */
    { "resolver =", "resolvr =", 36, "resolvr", "unknown key, did you mean resolver?" },
    { "ttl =", "tll =", 26, "grants[0].tll",
      "did you mean ttl?" } /* and ttl is missing */,
    { "limits = {", "limits = { conections = 5;", 37, "limits.conections",
      "did you mean connections?" },
    { "limits = {", "limits = { bananas = 5;", 37, "limits.bananas",
      "unknown key: remove it" },
    { "filters = {", "filters = { policy = { };", 38, "filters.policy", "unknown key" },
    { "filters = {", "filters = { gaurd = { };", 38, "filters.gaurd",
      "did you mean guard?" },
    { "on_sight =", "on_sigth =", 38, "filters.strip.on_sigth",
      "did you mean on_sight?" },
    { "\"refuse\"", "\"refused\"", 38, "filters.strip.on_sight",
      "did you mean \"refuse\"?" },
    /* keys and words of later */
    { "jwks_file =", "jwks_url = \"x\"; jwks_file =", 10, GATE ".trust[0].jwks_url",
      "is not built yet" },
    { "kind = \"authority\"", "kind = \"vault\"; value = \"x\"", 19,
      "credentials.orders.source.kind", "\"vault\" is not built yet" } /* and value */,
    { "\"standing\"", "\"pod\"", 26, "grants[0].task", "write workload.pod = " },
    { "\"standing\"", "\"standin\"", 26, "grants[0].task",
      "did you mean \"standing\"?" },
    { "\"standing\"", "\"x\"", 26, "grants[0].task", "\"x\" is no choice" },
    { "bind = [\"wimse\"]", "bind = [\"sigv4\"]", 31, RULE ".bind[0]",
      "\"sigv4\": is not built yet: write \"header\"" },
    { "bind = [\"wimse\"]", "bind = [\"wimsey\"]", 31, RULE ".bind[0]",
      "did you mean \"wimse\"?" },
    { "bind = [\"wimse\"]", "bind = [\"cookie\"]", 31, RULE ".bind[0]",
      "is no binding" },
    { "inject = \"always\"", "inject = \"on_handle\"", 31, RULE ".inject",
      "write inject = \"always\";" },
    { "inject = \"always\";", "", 29, RULE ".inject", "write inject = \"always\";" },
    /* missing */
    { "owner = \"a@example\";", "", 23, "grants[0].owner",
      "is missing: write owner = \"...\";" },
    { "approved_by = \"security@example\";", "", 23, "grants[0].approved_by",
      "is missing" },
    { "ticket = \"SEC-1\";", "", 23, "grants[0].ticket", "is missing" },
    { "approved_at = \"2026-11-20\";", "", 23, "grants[0].approved_at", "is missing" },
    { "expires_at = \"2027-02-20\";", "", 23, "grants[0].expires_at", "is missing" },
    { "purposes = [\"export\"];", "", 23, "grants[0].purposes", "is missing" },
    { "task = \"standing\";", "", 23, "grants[0].task", "is missing" },
    { "ttl = \"15m\";", "", 23, "grants[0].ttl", "is missing" },
    { "caller = { uid = 1001; };", "", 23, "grants[0].caller",
      "write caller = { uid = 1000; } or \"any\";" },
    { "name = \"nightly\";", "", 23, "grants[0].name", "is missing" },
    { "methods = [\"GET\", \"POST\"];", "", 29, RULE ".methods",
      "write methods = [\"...\"] or \"any\";" },
    { "paths = [\"/v1/orders/**\"];", "", 29, RULE ".paths", "or \"any\"" },
    { "host = \"orders.example\";", "", 29, RULE ".host", "is missing" },
    { "owner = \"orders-team@example\";", "", 16, "credentials.orders.owner",
      "is missing" },
    { "approved_by = \"iam@example\";", "", 16, "credentials.orders.approved_by",
      "is missing" },
    { "ticket = \"SEC-101\";", "", 16, "credentials.orders.ticket", "is missing" },
    { "rotate_every = \"1h\";", "", 16, "credentials.orders.rotate_every",
      "is missing" },
    { "privileges = \"write orders\";", "", 16, "credentials.orders.privileges",
      "is missing" },
    { "source = { kind = \"authority\"; };", "", 16, "credentials.orders.source",
      "write source = { ... };" },
    { "listen = \"127.0.0.1:15001\";", "", 5, DOOR ".listen", "is missing" },
    { "subjects = \"any\";", "", 12, GATE ".rules[0].subjects", "or \"any\"" },
    { "grants = [\"nightly\"];", "", 12, GATE ".rules[0].grants", "is missing" },
    { "purposes = \"any\";", "", 12, GATE ".rules[0].purposes", "is missing" },
    { "subjects = [\"spiffe://prod.example/sa/*\"];", "", 10, GATE ".trust[0].subjects",
      "is missing" },
    /* types */
    { "name = \"nightly\"", "name = 5", 23, "grants[0].name",
      "is a bare number, and a string stands in quotes" },
    { "ttl = \"15m\"", "ttl = 900", 26, "grants[0].ttl", "write ttl = \"15m\";" },
    { "pool = 8", "pool = \"8\"", 37, "limits.pool", "must be an integer" },
    { "pool = 8", "pool = true", 37, "limits.pool", "must be an integer" },
    { "methods = [\"PUT\"]", "methods = \"PUT\"", 12, GATE ".rules[0].methods",
      "must be a list or the word \"any\"" },
    { "purposes = [\"export\"]", "purposes = \"export\"", 25, "grants[0].purposes",
      "must be a list of strings: write purposes = [\"...\"];" },
    { "purposes = [\"export\"]", "purposes = []", 25, "grants[0].purposes",
      "is empty" },
    { "purposes = [\"export\"]", "purposes = [\"\"]", 25, "grants[0].purposes[0]",
      "is empty" },
    { "purposes = [\"export\"]", "purposes = [5]", 25, "grants[0].purposes[0]",
      "must be a string" },
    { "caller = { uid = 1001; }", "caller = \"all\"", 27, "grants[0].caller",
      "must be a group or the word \"any\"" },
    { "names = [\"https://orders.example\"];",
      "names = [\"https://orders.example\"]; keep_proof = \"yes\";", 8,
      GATE ".keep_proof", "must be a boolean: write keep_proof = true;" },
    { "owner = \"a@example\"", "owner = \"\"", 23, "grants[0].owner", "is empty" },
    { "owner = \"a@example\"", "owner = \"a\\nb\"", 23, "grants[0].owner",
      "control character" },
    { "purposes = [\"export\"]", "purposes = [\"a\\tb\"]", 25, "grants[0].purposes[0]",
      "control character" },
    { "limits = { pool = 8; drain = \"10s\"; head = \"16k\"; }", "limits = ( )", 37,
      "limits", "must be a group" },
    { "filters =", "log = { path = \"\"; };\nfilters =", 38, "log.path", "is empty" },
    /* ranges and units */
    { "port = 444", "port = 0", 33, PLAIN ".port", "write a value from 1 to 65535" },
    { "port = 444", "port = 65537", 33, PLAIN ".port", "out of range" },
    { "uid = 1000;", "uid = -1;", 1, "workload.uid", "from 0 to 4294967294" },
    { "uid = 1001;", "uid = 4294967295L;", 27, "grants[0].caller.uid", "out of range" },
    { "ttl = \"15m\"", "ttl = \"1s\"", 26, "grants[0].ttl", "\"10s\" to \"30d\"" },
    { "ttl = \"15m\"", "ttl = \"15\"", 26, "grants[0].ttl", "is no duration" },
    { "ttl = \"15m\"", "ttl = \"15 m\"", 26, "grants[0].ttl", "is no duration" },
    { "head = \"16k\"", "head = \"16kb\"", 37, "limits.head", "is no size" },
    { "head = \"16k\"", "head = \"16g\"", 37, "limits.head", "\"1k\" to \"1m\"" },
    { "head = \"16k\"", "head = 16384", 37, "limits.head", "stands in quotes" },
    { "pool = 8", "pool = 0", 37, "limits.pool", "from 1 to 10000" },
    { "\"2026-11-20\"", "\"2026-02-30\"", 24, "grants[0].approved_at", "is no date" },
    { "\"2027-02-20\"", "\"20.2.2027\"", 24, "grants[0].expires_at", "is no date" },
    { "\"2027-02-20\"", "\"2026-11-19\"", 24, "grants[0].expires_at",
      "is before approved_at" },
    { "\"127.0.0.1:15001\"", "\"localhost:15001\"", 5, DOOR ".listen",
      "is no address with a port" },
    { "\"127.0.0.1:15001\"", "\"127.0.0.1\"", 5, DOOR ".listen", "is no address" },
    { "\"127.0.0.1:15001\"", "\"::1:15001\"", 5, DOOR ".listen", "is no address" },
    { "\"10.0.0.0/8\"", "\"10.0.0.1/8\"", 32, RULE ".addresses[0]",
      "is no address or range" },
    { "\"10.0.0.0/8\"", "\"ten\"", 32, RULE ".addresses[0]", "is no address or range" },
    { "filters = {", "filters = { guard = { window = \"2h\"; };", 38,
      "filters.guard.window", "\"1s\" to \"1h\"" },
    /* doors */
    { "\"127.0.0.1:15002\"", "\"127.0.0.1:15001\"", 6, GATE ".listen",
      "the door on line 5" },
    { "\"127.0.0.1:15002\"", "\"0.0.0.0:15001\"", 6, GATE ".listen",
      "the door on line 5" },
    { "\"127.0.0.1:15001\";", "\"127.0.0.1:15001\"; keep_proof = true;", 5,
      DOOR ".keep_proof", "belongs to a gate" },
    { "\"127.0.0.1:15001\";", "\"127.0.0.1:15001\"; names = [\"https://a.example\"];",
      5, DOOR ".names", "belongs to a gate" },
    { "\"127.0.0.1:15001\";", "\"127.0.0.1:15001\"; upstream_http = \"2\";", 5,
      DOOR ".upstream_http", "belongs to a gate" },
    { "\"127.0.0.1:15002\";", "\"127.0.0.1:15002\"; h2c = true;", 6, GATE ".h2c",
      "belongs to a forward, transparent or unix door: remove it" },
    { "\"127.0.0.1:15001\";", "\"127.0.0.1:15001\"; intercept = \"tproxy\";", 5,
      DOOR ".intercept", "belongs to a transparent door: remove it" },
    { "\"forward\"; listen = \"127.0.0.1:15001\";",
      "\"transparent\"; listen = \"127.0.0.1:15001\"; intercept = \"nat\";", 5,
      DOOR ".intercept", "write intercept = \"redirect\"" },
    { "\"127.0.0.1:15001\";", "\"127.0.0.1:15001\"; refuse_with = \"nxdomain\";", 5,
      DOOR ".refuse_with", "belongs to a dns door" },
    { "\"forward\"; listen = \"127.0.0.1:15001\";",
      "\"dns\"; listen = \"127.0.0.1:15001\"; http2 = true;", 5, DOOR ".http2",
      "a dns door speaks no HTTP: remove it" },
    { "\"forward\"; listen = \"127.0.0.1:15001\";",
      "\"dns\"; listen = \"127.0.0.1:15001\"; refuse_with = \"servfail\";", 5,
      DOOR ".refuse_with", "write refuse_with = \"refused\" or \"nxdomain\"" },
    { "\"127.0.0.1:15001\";", "\"127.0.0.1:15001\"; http2 = \"yes\";", 5, DOOR ".http2",
      "must be a boolean" },
    { "\"http://127.0.0.1:8080\";",
      "\"http://127.0.0.1:8080\"; upstream_http = \"h2\";", 9, GATE ".upstream_http",
      "write upstream_http = \"auto\"" },
    { "certificate = \"/e/gate.pem\";", "", 6, GATE ".certificate",
      "is missing at a gate: write certificate =" },
    { "key = \"/e/gate.key\";", "", 6, GATE ".key", "is missing at a gate" },
    { "names = [\"https://orders.example\"];", "", 6, GATE ".names",
      "is missing at a gate" },
    { "upstream = \"http://127.0.0.1:8080\";", "", 6, GATE ".upstream",
      "is missing at a gate" },
    { "\"https://orders.example\"", "\"http://orders.example\"", 8, GATE ".names[0]",
      "begins with https://" },
    { "\"https://orders.example\"", "\"https://orders.example/\"", 8, GATE ".names[0]",
      "without a path" },
    { "\"https://orders.example\"", "\"https://Orders.example\"", 8, GATE ".names[0]",
      "write \"https://orders.example\"" },
    { "\"https://orders.example\"", "\"https://orders.example:443\"", 8,
      GATE ".names[0]", "write \"https://orders.example\"" },
    { "\"https://orders.example\"", "\"https://a:b@orders.example\"", 8,
      GATE ".names[0]", "\"https://a:b@orders.example\"" },
    { "\"http://127.0.0.1:8080\"", "\"127.0.0.1:8080\"", 9, GATE ".upstream",
      "begins with http:// or https://" },
    { "\"http://127.0.0.1:8080\"", "\"http://127.0.0.1:8080/x\"", 9, GATE ".upstream",
      "without a path" },
    { "\"http://127.0.0.1:8080\"", "\"http://127.0.0.1:99999\"", 9, GATE ".upstream",
      "port" },
    { "upstream = \"http://127.0.0.1:8080\";",
      "upstream = \"http://127.0.0.1:8080\"; upstream_trust = \"/e/ca.pem\";", 9,
      GATE ".upstream_trust", "plain http" },
    { "domain = \"prod.example\"", "domain = \"spiffe://prod.example\"", 10,
      GATE ".trust[0].domain", "without scheme" } /* and the subjects disagree */,
    { "\"spiffe://prod.example/sa/*\"", "\"spiffe://other.example/sa/*\"", 11,
      GATE ".trust[0].subjects[0]", "is of another trust domain" },
    { "\"spiffe://prod.example/sa/*\"", "\"spiffe://prod.example/*/sa\"", 11,
      GATE ".trust[0].subjects[0]", "its path is made of" },
    { "subjects = \"any\"", "subjects = [\"builder\"]", 12,
      GATE ".rules[0].subjects[0]", "begins with spiffe:// or wimse://" },
    { "methods = [\"PUT\"]", "methods = [\"PUT\"]; websocket = true", 12,
      GATE ".rules[0].websocket", "a WebSocket is asked for by GET" },
    { "\"/v2/**\"", "\"v2\"", 12, GATE ".rules[0].paths[0]", "begins with \"/\"" },
    { "\"PUT\"", "\"put\"", 12, GATE ".rules[0].methods[0]", "write \"PUT\"" },
    /* the workload */
    { "uid = 1000;", "", 1, "workload.uid", "a way out needs it" },
    { "id = \"spiffe://prod.example/sa/builder\";", "", 1, "workload.id",
      "a way out needs it" },
    { "keep = \"/run/ca\";", "", 2, "ca.keep", "a way out needs it" },
    { "publish = \"/run/public\";", "", 2, "ca.publish", "a way out needs it" },
    { "keep = \"/run/authority\";", "", 3, "authority.keep", "a way out needs it" },
    { "name = \"prod.example\";", "", 3, "authority.name", "a way out needs it" },
    { "\"/run/public\"", "\"/run/ca\"", 2, "ca.publish", "the directory of ca.keep" },
    { "\"/run/public\"", "\"/run/authority\"", 2, "ca.publish",
      "the directory of authority.keep" },
    { "name = \"prod.example\"", "name = \"other.example\"", 1, "workload.id",
      "another trust domain than authority.name" },
    { "name = \"prod.example\"", "name = \"Prod.example\"", 3, "authority.name",
      "lower-case" },
    { "prod.example/sa/builder\"", "prod.example\"", 1, "workload.id",
      "write a path behind it" },
    { "prod.example/sa/builder\"", "prod.example/sa//b\"", 1, "workload.id",
      "an empty segment" },
    { "prod.example/sa/builder\"", "prod.example/sa/\"", 1, "workload.id",
      "an empty segment" },
    { "prod.example/sa/builder\"", "prod.example/../b\"", 1, "workload.id",
      "a segment \".\" or \"..\"" },
    { "prod.example/sa/builder\"", "prod.example/sa/b?x\"", 1, "workload.id",
      "its path is made of" },
    { "prod.example/sa/builder\"", "prod.example:80/sa\"", 1, "workload.id",
      "a trust domain is made of" },
    { "prod.example/sa/builder\"", "u@prod.example/sa\"", 1, "workload.id",
      "a trust domain is made of" },
    { "prod.example/sa/builder\"", "prod.example/sa/*\"", 1, "workload.id",
      "its path is made of" },
    { "spiffe://prod.example/sa/builder", "https://prod.example/sa", 1, "workload.id",
      "begins with spiffe:// or wimse://" },
    /* grants */
    { "purposes = [\"export\"]", "purposes = [\"a\", \"b\"]", 25, "grants[0].purposes",
      "which is what its tokens state" },
    { "port = 444;", "purposes = [\"exports\"];", 33, PLAIN ".purposes[0]",
      "is no purpose of its grant, did you mean \"export\"?" },
    { "port = 444;", "purposes = [\"export\", \"billing\"];", 33, PLAIN ".purposes[1]",
      "is no purpose of its grant: write one of them" },
    { "port = 444;", "purposes = [];", 33, PLAIN ".purposes", "is empty" },
    { "ttl = \"15m\"", "ttl = \"15m\"; drain = \"2h\"", 26, "grants[0].drain",
      "\"0ms\" to \"1h\"" },
    { "uid = 1000;", "uid = 1000; pod = \"a b\";", 1, "workload.pod",
      "letters, digits" },
    { "uid = 1000;", "uid = 1000; pod = \"a\"; pod_file = \"/etc/podinfo/uid\";", 1,
      "workload.pod_file", "stands beside pod" },
    { "uid = 1000;", "uid = 1000; pod_file = \"podinfo\";", 1, "workload.pod_file",
      "path" },
    { "uid = 1000;", "uid = 1000; pod_file = \"/run/public/uid\";", 1,
      "workload.pod_file", "lies in ca.publish" },
    { "uid = 1000;", "uid = 1000; claim_file = \"/etc/podinfo/labels\";", 1,
      "workload.claim_file", "write claim_label = " },
    { "uid = 1000;", "uid = 1000; claim_label = \"claim\";", 1, "workload.claim_label",
      "write claim_file = " },
    { "uid = 1000;",
      "uid = 1000; claim_file = \"/etc/podinfo/labels\"; claim_label = \"a/b/c\";", 1,
      "workload.claim_label", "with a domain and '/' before it or not" },
    { "ledger = {", "ledger = { segment = \"1k\";", 39, "ledger.segment",
      "\"64k\" to \"16g\"" },
    { "ledger = {", "ledger = { durable = \"queued\";", 39, "ledger.durable",
      "did you mean \"queue\"?" },
    { "pool = 8", "pool = 8; tasks = 0", 37, "limits.tasks", "from 1 to 1000000" },
    { "name = \"nightly\"", "name = \"night ly\"", 23, "grants[0].name",
      "letters, digits" },
    { "\"orders\"; bind", "\"order\"; bind", 31, RULE ".credential",
      "did you mean \"orders\"?" },
    { "\"orders\"; bind", "\"zzz\"; bind", 31, RULE ".credential",
      "write it under credentials" },
    { "bind = [\"wimse\"];", "", 29, RULE ".bind", "write bind = [\"wimse\"];" },
    { "port = 444;", "bind = [\"wimse\"];", 33, PLAIN ".bind",
      "there is nothing to bind" },
    { "port = 444;", "inject = \"always\";", 33, PLAIN ".inject",
      "there is nothing to inject" },
    { "addresses = [", "scheme = \"http\"; addresses = [", 31, RULE ".credential",
      "never presented over plain http" },
    { "addresses = [", "signed_urls = \"pass\"; addresses = [", 32, RULE ".signed_urls",
      "only in a rule without credential" },
    { "port = 444;", "scheme = \"http\"; upstream_trust = \"/e/ca.pem\";", 33,
      PLAIN ".upstream_trust", "no certificate on plain http" },
    { "port = 444;", "scheme = \"ftp\";", 33, PLAIN ".scheme",
      "write scheme = \"https\" or \"http\";" },
    { "port = 444;", "websocket = true;", 33, PLAIN ".websocket",
      "a WebSocket is asked for by GET, which `methods` lacks" },
    { "port = 444;", "websocket = \"true\";", 33, PLAIN ".websocket",
      "write websocket = true" },
    { "port = 444;", "opaque = 1;", 33, PLAIN ".opaque", "must be a boolean" },
    { "\"pypi.org\"; methods = [\"HEAD\"]; paths = \"any\";",
      "\"10.1.2.3\"; opaque = true;", 33, PLAIN ".host", "write a name" },
    { "port = 444;", "http = \"1.0\";", 33, PLAIN ".http", "did you mean \"1.1\"?" },
    { "port = 444;", "http = 2;", 33, PLAIN ".http",
      "stands in quotes: write http = " },
    { "\"pypi.org\"", "\"*\"", 33, PLAIN ".host", "write \"*.\" and a name" },
    { "\"pypi.org\"", "\"*.\"", 33, PLAIN ".host", "malformed" },
    { "\"pypi.org\"", "\"py*.org\"", 33, PLAIN ".host", "a star stands only in front" },
    { "\"pypi.org\"", "\"*.*.org\"", 33, PLAIN ".host", "a star stands only in front" },
    { "\"pypi.org\"", "\"PyPI.org\"", 33, PLAIN ".host", "write \"pypi.org\"" },
    { "\"pypi.org\"", "\"*.PyPI.org\"", 33, PLAIN ".host", "write \"*.pypi.org\"" },
    { "\"pypi.org\"", "\"pypi.org.\"", 33, PLAIN ".host", "write \"pypi.org\"" },
    { "\"pypi.org\"", "\"pypi.org:443\"", 33, PLAIN ".host", "port = ..." },
    { "\"pypi.org\"", "\"https://pypi.org\"", 33, PLAIN ".host", "the host alone" },
    { "\"pypi.org\"", "\"010.1.1.1\"", 33, PLAIN ".host", "looks like a number" },
    { "\"pypi.org\"", "\"2130706433\"", 33, PLAIN ".host", "looks like a number" },
    { "\"pypi.org\"", "\"2001:db8::1\"", 33, PLAIN ".host", "in brackets" },
    { "\"pypi.org\"", "\"[2001:db8:0::1]\"", 33, PLAIN ".host",
      "write \"[2001:db8::1]\"" },
    { "\"pypi.org\"", "\"*.10.0.0.1\"", 33, PLAIN ".host", "not before an address" },
    { "\"HEAD\"", "\"Head\"", 33, PLAIN ".methods[0]", "write \"HEAD\"" },
    { "\"HEAD\"", "\"TRACE\"", 33, PLAIN ".methods[0]", "never forwarded" },
    { "\"HEAD\"", "\"TRACK\"", 33, PLAIN ".methods[0]", "never forwarded" },
    { "\"HEAD\"", "\"connect\"", 33, PLAIN ".methods[0]", "never forwarded" },
    { "\"HEAD\"", "\"HEAD GET\"", 33, PLAIN ".methods[0]", "one word" },
    { "\"HEAD\"", "\"*\"", 33, PLAIN ".methods[0]", "write methods = \"any\"" },
    { "\"/v1/orders/**\"", "\"v1\"", 30, RULE ".paths[0]", "begins with \"/\"" },
    { "\"/v1/orders/**\"", "\"/v1/**/orders\"", 30, RULE ".paths[0]",
      "stands only at the end" },
    { "\"/v1/orders/**\"", "\"/v1/or*\"", 30, RULE ".paths[0]",
      "a star is a whole segment" },
    { "\"/v1/orders/**\"", "\"/v1/***\"", 30, RULE ".paths[0]",
      "a star is a whole segment" },
    { "\"/v1/orders/**\"", "\"/v1/../x\"", 30, RULE ".paths[0]", "write \"/x\"" },
    { "\"/v1/orders/**\"", "\"/v1/%41\"", 30, RULE ".paths[0]", "write \"/v1/A\"" },
    { "\"/v1/orders/**\"", "\"/v1/%2f\"", 30, RULE ".paths[0]", "path" },
    { "\"/v1/orders/**\"", "\"/v1?a=b\"", 30, RULE ".paths[0]",
      "queries are not matched" },
    /* the ledger */
    { "ledger = { keep = \"/run/ledger\"; };\n", "", 1, "ledger",
      "write ledger = { keep = \"/var/lib/holdfast/ledger\"; };" },
    { "keep = \"/run/ledger\";", "", 39, "ledger", "off_because = \"why\"" },
    { "keep = \"/run/ledger\";", "keep = \"/run/ledger\"; off_because = \"no disk\";",
      39, "ledger.off_because", "remove one" },
    { "keep = \"/run/ledger\";", "off_because = \"\";", 39, "ledger.off_because",
      "is empty" },
    { "keep = \"/run/ledger\";", "keep = \"ledger\";", 39, "ledger.keep",
      "\"ledger\":" },
    { "\"/run/ledger\"", "\"/run/ca\"", 39, "ledger.keep", "write one of its own" },
    { "\"/run/ledger\"", "\"/run/authority\"", 39, "ledger.keep",
      "write one of its own" },
    { "\"/run/ledger\"", "\"/run/public/ledger\"", 39, "ledger.keep",
      "lies in ca.publish" },
    { "keep = \"/run/ledger\";", WITNESS("http://w.example/c"), 39,
      "ledger.witness.url", "begins with https://" },
    { "keep = \"/run/ledger\";", WITNESS("w.example/c"), 39, "ledger.witness.url",
      "begins with https://" },
    { "keep = \"/run/ledger\";", WITNESS("https://w.example/c#x"), 39,
      "ledger.witness.url", "ends before \"#\"" },
    { "keep = \"/run/ledger\";", WITNESS("https://u@w.example/c"), 39,
      "ledger.witness.url", "host name is malformed" },
    { "keep = \"/run/ledger\";", WITNESS("https://w.example:0/c"), 39,
      "ledger.witness.url", "port is missing, malformed" },
    { "keep = \"/run/ledger\";", WITNESS("https://W.example/c"), 39,
      "ledger.witness.url", "write \"https://w.example/c\"" },
    { "keep = \"/run/ledger\";", WITNESS("https://w.example:443/c"), 39,
      "ledger.witness.url", "write \"https://w.example/c\"" },
    { "keep = \"/run/ledger\";", WITNESS("https://w.example/a/../c?d"), 39,
      "ledger.witness.url", "write \"https://w.example/c?d\"" },
    { "keep = \"/run/ledger\";", WITNESS("https://w.example?c"), 39,
      "ledger.witness.url", "a path stands before \"?\"" },
    { "keep = \"/run/ledger\";", WITNESS("https://w.example/a b"), 39,
      "ledger.witness.url", "path holds a byte" },
    { "keep = \"/run/ledger\";", WITNESS("https://169.254.169.254/c"), 39,
      "ledger.witness.url", "is a metadata service" },
    { "keep = \"/run/ledger\";", WITNESS("https://[fd00:ec2::254]/c"), 39,
      "ledger.witness.url", "is a metadata service" },
    { "keep = \"/run/ledger\";", WITNESS("https://metadata.google.internal/c"), 39,
      "ledger.witness.url", "is a metadata service" },
    { "keep = \"/run/ledger\";",
      "keep = \"/run/ledger\"; witness = { trust = \"/ca.pem\"; };", 39,
      "ledger.witness.url", "write url = \"https://witness.example/checkpoints\";" },
    { "keep = \"/run/ledger\";",
      "off_because = \"no disk\"; witness = { url = \"https://w.example/c\"; };", 39,
      "ledger.witness.url", "write ledger.keep" },
    { "ledger = {", "ledger = { witness = \"https://w.example\";", 39, "ledger.witness",
      "write witness = { ... };" },
    { "ledger = {", "ledger = { witness = { uri = \"https://w.example/c\"; };", 39,
      "ledger.witness.uri", "did you mean url?" } /* and url is missing */,
    { "keep = \"/run/ledger\";", WITNESS("https://w.example/c\"; timeout = \"2m"), 39,
      "ledger.witness.timeout", "\"1m\"" },
    { "keep = \"/run/ledger\";", WITNESS("https://w.example/c\"; trust = \"ca.pem"), 39,
      "ledger.witness.trust", "\"ca.pem\":" },
    /* the rest */
    { "\"127.0.0.1:5353\"", "\"dns.example\"", 36, "resolver.servers[0]",
      "write \"10.96.0.10\"" },
    { "\"127.0.0.1:5353\"", "\"127.0.0.1:0\"", 36, "resolver.servers[0]",
      "is no address" },
    { "resolver = {",
      "resolver = { hosts = ( { name = \"A.x\"; addresses = [\"::1\"]; } );", 36,
      "resolver.hosts[0].name", "is no host name in lower case" },
    { "resolver = {",
      "resolver = { hosts = ( { name = \"a.x\"; addresses = [\"b\"]; } );", 36,
      "resolver.hosts[0].addresses[0]", "is no address" },
    { "drain = \"10s\"", "body_digest = \"65k\"", 37, "limits.body_digest",
      "is more than limits.stream_buffer" },
    { "  orders = {", "  ord*rs = {", 16, "credentials.ord*rs", "a name is made of" }
    /* and the rule's credential is unknown */,
    { "  orders = {", "  other = 5;\n  orders = {", 16, "credentials.other",
      "must be a group: write other = { ... };" },
};

/* Rows whose one slip is rightly two errors. */
static bool
is_double(size_t i)
{
    static const char *const doubles[] = { "tll =", "kind = \"vault\"; value = \"x\"",
                                           "domain = \"spiffe://prod.example\"",
                                           "  ord*rs = {" };

    for (size_t j = 0; j < sizeof doubles / sizeof *doubles; j++)
        if (strcmp(rows[i].to, doubles[j]) == 0)
            return true;
    return false;
}

static void
a_wrong_value_is_named_with_its_line_its_path_and_what_to_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = whole_with(rows[i].from, rows[i].to);

        folder_expect(&folder, text, rows[i].line, rows[i].key, rows[i].fragment,
                      is_double(i) ? 2 : 1);
        free(text);
    }
}

static void
a_file_without_doors_is_refused(void **state)
{
    (void)state;
    expect("", 1, "doors", "is missing: write doors = ( { ... } );");
    expect("doors = ();\n", 1, "doors", "is empty");
}

static void
a_forward_door_without_any_of_what_it_needs_hears_all_of_it(void **state)
{
    static const char *const needs[] = { "workload.id",       "workload.uid",
                                         "ca.keep",           "ca.publish",
                                         "authority.keep",    "authority.name",
                                         "ledger: is missing" };

    (void)state;
    folder_write(&folder, "main.conf",
                 "doors = ( { kind = \"forward\"; listen = \"127.0.0.1:0\"; } );\n");
    assert_int_equal(folder_load(&folder), REASON_CONFIG);
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++)
        assert_non_null(strstr(folder_report(&folder), needs[i]));
    assert_int_equal(count_messages(folder_report(&folder)), 7);
}

static void
two_grants_of_one_name_are_refused(void **state)
{
    char *text = whole_with(
        "grants = (\n",
        "grants = ( { name = \"nightly\"; owner = \"a\"; approved_by = \"b\";\n"
        "ticket = \"c\"; approved_at = \"2026-11-20\"; expires_at = \"2027-02-20\";\n"
        "purposes = [\"p\"]; task = \"standing\"; ttl = \"1h\"; caller = \"any\";\n"
        "rules = ( { host = \"a.example\"; methods = \"any\"; paths = \"any\"; } ); "
        "},\n");

    (void)state;
    expect(text, 26, "grants[1].name", "main.conf:22 as well");
    free(text);
}

static void
all_errors_are_told_at_once_in_the_order_of_the_file(void **state)
{
    static const char text[] =
        "doors = ( { kind = \"frward\"; listen = \"nowhere\"; } );\n"
        "grants = (\n"
        "  { name = \"x\"; ttl = \"1\";\n"
        "    rules = ( { host = \"*\"; methods = [\"get\"]; } ); }\n"
        ");\n"
        "limits = { pool = 0; bananas = 1; };\n";
    static const char *const expected[] = {
        "main.conf:1: doors[0].kind: ",
        "main.conf:1: doors[0].listen: ",
        "main.conf:3: grants[0].owner: ",
        "main.conf:3: grants[0].approved_by: ",
        "main.conf:3: grants[0].ttl: ",
        "main.conf:4: grants[0].rules[0].paths: ",
        "main.conf:4: grants[0].rules[0].host: ",
        "main.conf:4: grants[0].rules[0].methods[0]: ",
        "main.conf:6: limits.bananas: ",
        "main.conf:6: limits.pool: ",
    };
    const char *at;

    (void)state;
    folder_write(&folder, "main.conf", text);
    assert_int_equal(folder_load(&folder), REASON_CONFIG);
    at = folder_report(&folder);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        at = strstr(at, expected[i]);
        if (at == NULL)
            fail_msg("no \"%s\" in its place:\n%s", expected[i],
                     folder_report(&folder));
    }
}

static void
a_flood_of_errors_is_counted_and_not_all_told(void **state)
{
    struct buf text = { 0 };

    (void)state;
    buf_add_z(&text, whole_config);
    for (int i = 0; i < 500; i++)
        buf_printf(&text, "unknown%d = 1;\n", i);
    folder_write_bytes(&folder, "main.conf", buf_text(&text).at, buf_length(&text));
    buf_free(&text);
    assert_int_equal(folder_load(&folder), REASON_CONFIG);
    assert_int_equal(count_messages(folder_report(&folder)), 201);
    assert_non_null(strstr(folder_report(&folder), "... and 300 more errors\n"));
}

static void
a_missing_file_is_named(void **state)
{
    (void)state;
    assert_int_equal(folder_load(&folder), REASON_CONFIG);
    assert_string_equal(folder_report(&folder),
                        "main.conf: cannot be read: No such file or directory\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_slip_of_syntax_is_named_with_its_line_and_what_to_write),
        TEST(a_syntax_error_shows_the_line_before_it_the_line_and_a_caret),
        TEST(a_value_that_is_shown_does_not_move_the_terminal),
        TEST(every_wrapped_integer_of_a_file_is_named),
        TEST(what_stands_behind_a_nul_is_not_silently_cut_off),
        TEST(numbers_and_brackets_inside_strings_and_comments_are_nobodys_business),
        TEST(a_wrong_value_is_named_with_its_line_its_path_and_what_to_write),
        TEST(a_file_without_doors_is_refused),
        TEST(a_forward_door_without_any_of_what_it_needs_hears_all_of_it),
        TEST(two_grants_of_one_name_are_refused),
        TEST(all_errors_are_told_at_once_in_the_order_of_the_file),
        TEST(a_flood_of_errors_is_counted_and_not_all_told),
        TEST(a_missing_file_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
