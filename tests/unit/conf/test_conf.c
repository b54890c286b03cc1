/* What a good config becomes: the examples load, values land in their fields, files
 * merge, strings live as long as the conf; and what lint says of the questionable. */
#include "folder.h"

#include "conf/finding.h"

#include <glob.h>

static const struct conf_grant *
only_grant(const struct conf *c)
{
    assert_int_equal(c->grants.n, 1);
    return c->grants.at;
}

/* ---- values */

static void
every_example_loads(void **state)
{
    glob_t found;

    (void)state;
    assert_int_equal(glob(SOURCE_DIR "/conf/examples/*.conf", 0, NULL, &found), 0);
    assert_true(found.gl_pathc >= 3);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        struct buf report = { 0 };
        struct conf *c;

        if (conf_load(path, fake_filters, N_FAKE, &report, &c) != REASON_OK)
            fail_msg("%s: %.*s", path, TEXT_ARG(buf_text(&report)));
        assert_string_equal(c->path, path);
        assert_int_equal(buf_length(&report), 0);
        conf_free(c);
    }
    globfree(&found);
}

static void
workload_doors_and_resolver_hold_what_was_written(void **state)
{
    const struct conf *c = load(whole_config);
    const struct conf_door *doors = c->doors.at;
    const struct conf_trust *trust;
    const struct conf_gate_rule *rule;

    (void)state;
    assert_string_equal(c->workload.id, "spiffe://prod.example/sa/builder");
    assert_int_equal(c->workload.uid, 1000);
    assert_string_equal(c->authority.name, "prod.example");
    assert_null(c->user);
    assert_int_equal(c->doors.n, 2);
    assert_int_equal(doors[0].kind, DOOR_FORWARD);
    assert_int_equal(doors[0].listen.port, 15001);
    assert_int_equal(doors[0].listen.address.family, AF_INET);
    assert_memory_equal(doors[0].listen.address.bytes, "\x7f\0\0\1", 4);
    assert_int_equal(doors[1].kind, DOOR_GATE);
    assert_true(conf_has_door(c, DOOR_FORWARD) && conf_has_door(c, DOOR_GATE));
    assert_false(conf_has_door(c, DOOR_OPS));
    assert_string_equal(doors[1].names.at[0], "https://orders.example");
    assert_int_equal(doors[1].replay_entries, 65536);
    assert_false(doors[1].keep_proof);
    assert_true(doors[0].http2 && doors[1].http2);
    assert_false(doors[0].h2c);
    assert_int_equal(doors[1].upstream_http, CONF_HTTP_AUTO);
    assert_int_equal(doors[1].trust.n, 1);
    trust = doors[1].trust.at;
    assert_string_equal(trust->domain, "prod.example");
    assert_int_equal(trust->issuers.n, 0);
    rule = doors[1].rules.at;
    assert_true(rule->subjects.any);
    assert_string_equal(rule->grants.at[0], "nightly");
    assert_false(rule->grants.any);
    assert_string_equal(c->resolver.servers.at[0], "127.0.0.1:5353");
}

static void
grants_and_credentials_hold_what_was_written(void **state)
{
    const struct conf *c = load(whole_config);
    const struct conf_credential *orders = conf_credential(c, "orders");
    const struct conf_grant *g = only_grant(c);
    const struct conf_rule *rules = g->rules.at;

    (void)state;
    assert_non_null(orders);
    assert_null(conf_credential(c, "order"));
    assert_string_equal(orders->name, "orders");
    assert_string_equal(orders->privileges, "write orders");
    assert_int_equal(orders->rotate_every_ms, 3600000);
    assert_int_equal(orders->source.kind, SOURCE_AUTHORITY);
    assert_int_equal(g->approved_at, 1795132800);
    assert_int_equal(g->expires_at, 1803168000 - 1);
    assert_int_equal(g->ttl_ms, 900000);
    assert_int_equal(g->task, TASK_STANDING);
    assert_false(g->caller.any);
    assert_int_equal(g->caller.uid, 1001);
    assert_int_equal(g->rules.n, 2);
    assert_int_equal(rules[0].port, 0);
    assert_int_equal(rules[0].inject, INJECT_ALWAYS);
    assert_int_equal(rules[0].addresses.n, 1);
    assert_int_equal(rules[0].addresses.at[0].bits, 8);
    assert_string_equal(rules[0].bind.at[0], conf_bind_words[BIND_WIMSE]);
    assert_int_equal(rules[1].port, 444);
    assert_true(rules[1].paths.any);
    assert_null(rules[1].credential);
    assert_int_equal(rules[1].scheme, SCHEME_HTTPS);
    assert_int_equal(rules[1].cookies, CONF_STRIP);
    assert_int_equal(rules[1].http, CONF_HTTP_AUTO);
}

static void
every_group_knows_its_place(void **state)
{
    const struct conf *c = load(whole_config);
    const struct conf_door *doors = c->doors.at;
    const struct conf_grant *g = only_grant(c);
    const struct conf_rule *rules = g->rules.at;

    (void)state;
    assert_string_equal(rules[0].place.file, folder.main);
    assert_int_equal(rules[0].place.line, 29);
    assert_int_equal(rules[1].place.line, 33);
    assert_int_equal(g->place.line, 23);
    assert_int_equal(doors[1].place.line, 6);
    assert_int_equal(conf_credential(c, "orders")->place.line, 16);
}

static void
limits_that_are_not_written_are_those_of_the_design(void **state)
{
    const struct conf *c = load(whole_config);
    const struct conf_limits *l = &c->limits;

    (void)state;
    assert_int_equal(l->connections, 1024);
    assert_int_equal(l->handshakes, 64);
    assert_int_equal(l->head_bytes, 16384); /* written */
    assert_int_equal(l->fields, 100);
    assert_int_equal(l->target_bytes, 8192);
    assert_int_equal(l->head_timeout_ms, 10000);
    assert_int_equal(l->handshake_timeout_ms, 10000);
    assert_int_equal(l->connect_timeout_ms, 5000);
    assert_int_equal(l->stream_idle_ms, 300000);
    assert_int_equal(l->connection_idle_ms, 60000);
    assert_int_equal(l->stream_buffer, 65536);
    assert_int_equal(l->body_digest, 16384);
    assert_int_equal(l->pool, 8); /* written */
    assert_int_equal(l->pool_idle_ms, 30000);
    assert_int_equal(l->leaves, 1024);
    assert_int_equal(l->refusal_leaves, 64);
    assert_int_equal(l->refusal_leaf_rate, 20);
    assert_int_equal(l->drain_ms, 10000); /* written */
    assert_int_equal(l->generations, 4);
    assert_int_equal(c->resolver.timeout_ms, 3000);
    assert_int_equal(c->ca.valid_ms, INT64_C(30) * 24 * 3600 * 1000);
    assert_int_equal(c->deny_detail, DETAIL_REASON);
}

static void
a_filter_gets_its_settings_written_or_not(void **state)
{
    const struct conf *c = load(whole_config);
    const struct fake_settings *strip = conf_filter(c, "strip");
    const struct fake_settings *guard = conf_filter(c, "guard");

    (void)state;
    assert_int_equal(strip->on_sight, 1);
    assert_int_equal(strip->place.line, 38);
    assert_int_equal(strip->window_ms, 90000);
    assert_int_equal(guard->on_sight, 0);
    assert_int_equal(guard->window_ms, 90000);
    assert_int_equal(guard->also.n, 0);
    assert_null(conf_filter(c, "policy"));
    assert_null(conf_filter(c, "nothing"));
}

static void
which_http_is_spoken_at_a_door_and_by_a_rule_is_as_written(void **state)
{
    char *text = whole_with("\"127.0.0.1:15001\"",
                            "\"127.0.0.1:15001\"; http2 = false; h2c = true");
    const struct conf_door *door = load(text)->doors.at;
    const struct conf_rule *rules;

    (void)state;
    assert_false(door->http2);
    assert_true(door->h2c);
    free(text);
    text = whole_with("\"http://127.0.0.1:8080\"",
                      "\"http://127.0.0.1:8080\"; upstream_http = \"2\"");
    door = load(text)->doors.at;
    assert_int_equal(door[1].upstream_http, CONF_HTTP_2);
    free(text);
    text = whole_with("port = 444;", "scheme = \"http\"; http = \"2\";");
    rules = only_grant(load(text))->rules.at;
    assert_int_equal(rules[1].http, CONF_HTTP_2);
    free(text);
    text = whole_with("port = 444;", "http = \"1.1\";");
    rules = only_grant(load(text))->rules.at;
    assert_int_equal(rules[1].http, CONF_HTTP_1);
    free(text);
}

static const struct {
    const char *from, *to;
} good_rows[] = {
    { "uid = 1000;", "uid = 4294967294L;" },
    { "\"pypi.org\"", "\"*.pypi.org\"" },
    { "\"pypi.org\"", "\"*.org\"" },
    { "\"pypi.org\"", "\"192.0.2.1\"" },
    { "\"pypi.org\"", "\"[2001:db8::1]\"" },
    { "\"HEAD\"", "\"M-SEARCH\"" },
    { "[\"HEAD\"]", "\"any\"" },
    { "[\"HEAD\"]", "(\"HEAD\", \"GET\")" },
    { "port = 444;", "signed_urls = \"pass\"; cookies = \"pass\";" },
    { "[\"HEAD\"]", "\"any\"; websocket = true" },
    { "[\"HEAD\"]", "[\"GET\"]; websocket = true" },
    { "methods = [\"PUT\"]", "methods = [\"GET\"]; websocket = true" },
    { "port = 444;", "scheme = \"http\"; addresses = [\"::1\", \"10.0.0.1\"];" },
    { "\"/v1/orders/**\"", "\"/\"" },
    { "\"/v1/orders/**\"", "\"/*/a/*\"" },
    { "\"/v1/orders/**\"", "\"/**\"" },
    { "\"/v1/orders/**\"", "\"/a%20b//c\"" },
    { "\"127.0.0.1:15001\"", "\"[::1]:0\"" },
    { "\"127.0.0.1:15002\"", "\"[::]:15001\"" },
    { "\"127.0.0.1:15002\"", "\"127.0.0.2:15001\"" },
    { "127.0.0.1:15001\"; },\n  { kind = \"gate\"; listen = \"127.0.0.1:15002\"",
      "127.0.0.1:0\"; },\n { kind = \"gate\"; listen = \"127.0.0.1:0\"" },
    { "\"127.0.0.1:5353\"", "\"10.96.0.10\", \"[::1]:53\", \"2001:db8::1\"" },
    { "[\"127.0.0.1:5353\"]", "[]" },
    { "\"2027-02-20\"", "\"2026-11-20\"" },
    { "\"2027-02-20\"", "\"2027-02-20T08:00:00Z\"" },
    { "caller = { uid = 1001; }", "caller = \"any\"" },
    { "\"http://127.0.0.1:8080\"", "\"https://[2001:db8::1]:8443\"" },
    { "spiffe://prod.example/sa/builder", "wimse://prod.example/a~b/(c)" },
    { "\"https://orders.example\"",
      "\"https://orders.example:8443\", \"https://[::1]\"" },
    { "\"SEC-1\"", "\"S\xc3\x84\" \"C-1\"" },
    { "drain = \"10s\";", "drain = \"0ms\", " },
};

static void
what_the_grammar_allows_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_rows / sizeof *good_rows; i++) {
        char *text = whole_with(good_rows[i].from, good_rows[i].to);

        folder_write(&folder, "main.conf", text);
        if (folder_load(&folder) != REASON_OK)
            fail_msg("%s: %s", good_rows[i].to, folder_report(&folder));
        free(text);
    }
}

static void
a_byte_order_mark_and_carriage_returns_are_no_obstacle(void **state)
{
    struct buf text = { 0 };

    (void)state;
    buf_add_z(&text, "\xef\xbb\xbf");
    for (const char *c = whole_config; *c != '\0'; c++) {
        if (*c == '\n')
            buf_add_byte(&text, '\r');
        buf_add_byte(&text, *c);
    }
    folder_write_bytes(&folder, "main.conf", buf_text(&text).at, buf_length(&text));
    buf_free(&text);
    assert_int_equal(folder_load(&folder), REASON_OK);
    assert_int_equal(only_grant(folder.conf)->place.line, 23);
}

static void
a_workload_elsewhere_needs_no_uid(void **state)
{
    char *text = whole_with("uid = 1000;", "");
    char *door = strstr(text, "127.0.0.1:15001");

    (void)state;
    memcpy(door, "192.0.2.2:15001", strlen("192.0.2.2:15001"));
    assert_int_equal(load(text)->workload.uid, -1);
    free(text);
}

static void
a_gate_alone_needs_no_workload(void **state)
{
    const struct conf *c = load(
        "doors = ( { kind = \"gate\"; listen = \"0.0.0.0:8443\"; certificate = "
        "\"/c\";\n"
        "key = \"/k\"; names = [\"https://a.example\"]; upstream = "
        "\"http://127.0.0.1\";\n"
        "trust = ( { domain = \"a\"; jwks_file = \"/j\"; subjects = "
        "[\"spiffe://a/b\"]; } );\n"
        "rules = ( { methods = \"any\"; paths = \"any\"; subjects = \"any\";\n"
        "grants = \"any\"; purposes = \"any\"; } ); } );\n");

    (void)state;
    assert_null(c->workload.id);
    assert_int_equal(c->workload.uid, -1);
    assert_int_equal(c->grants.n, 0);
}

/* ---- conf.d */

static const char part_grant[] =
    "grants = ( { name = \"%s\"; owner = \"a\"; approved_by = \"b\"; ticket = \"c\";\n"
    "approved_at = \"2026-11-20\"; expires_at = \"2027-02-20\"; purposes = [\"p\"];\n"
    "task = \"standing\"; ttl = \"1h\"; caller = \"any\";\n"
    "rules = ( { host = \"a.example\"; methods = \"any\"; paths = \"any\"; } ); } );\n";

static void
write_grant(const char *file, const char *name)
{
    char text[1024];

    snprintf(text, sizeof text, part_grant, name);
    folder_write(&folder, file, text);
}

static void
lists_concatenate_in_the_sorted_order_of_the_files(void **state)
{
    const struct conf_grant *grants;

    (void)state;
    write_grant("conf.d/20-b.conf", "second");
    write_grant("conf.d/10-a.conf", "first");
    write_grant("conf.d/9.conf", "third");
    assert_int_equal(load(whole_config)->grants.n, 4);
    grants = folder.conf->grants.at;
    assert_string_equal(grants[0].name, "nightly");
    assert_string_equal(grants[1].name, "first");
    assert_string_equal(grants[2].name, "second");
    assert_string_equal(grants[3].name, "third");
    assert_non_null(strstr(grants[1].place.file, "/conf.d/10-a.conf"));
    assert_int_equal(grants[1].place.line, 1);
}

static void
groups_merge_by_key_and_lists_inside_them_concatenate(void **state)
{
    const struct fake_settings *guard;
    const struct conf *c;

    (void)state;
    folder_write(&folder, "conf.d/a.conf",
                 "limits = { leaves = 7; };\n"
                 "filters = { guard = { also_deny = [\"10.1.0.0/16\"]; }; };\n"
                 "credentials = { more = { owner = \"o\"; approved_by = \"p\";\n"
                 "ticket = \"t\"; rotate_every = \"1d\"; privileges = \"q\";\n"
                 "source = { kind = \"authority\"; }; }; };\n");
    folder_write(&folder, "conf.d/b.conf",
                 "filters = { guard = { also_deny = [\"10.2.0.0/16\"]; }; };\n");
    c = load(whole_config);
    guard = conf_filter(c, "guard");
    assert_int_equal(c->limits.leaves, 7);
    assert_int_equal(c->limits.pool, 8);
    assert_int_equal(guard->ranges.n, 2);
    assert_int_equal(guard->ranges.at[1].base.bytes[1], 2);
    assert_int_equal(c->credentials.n, 2);
    assert_non_null(conf_credential(c, "more"));
}

static const struct {
    const char *text, *message;
} repeated_rows[] = {
    { "limits = {\n pool = 8; };\n",
      "conf.d/a.conf:2: limits.pool: is set at main.conf:37 as well" },
    { "filters = { strip = { on_sight = \"strip\"; }; };\n",
      "conf.d/a.conf:1: filters.strip.on_sight: is set at main.conf:38 as well" },
    { "\ncredentials = { orders = { ticket = \"x\"; }; };\n",
      "conf.d/a.conf:2: credentials.orders: is named at main.conf:16 as well" },
    { "workload = { id = \"spiffe://prod.example/other\"; };\n",
      "conf.d/a.conf:1: workload.id: is set at main.conf:1 as well" },
    { "limits = ();\n", "conf.d/a.conf:1: limits: is set at main.conf:37 as well" },
};

static void
what_two_files_set_is_an_error_that_names_both(void **state)
{
    (void)state;
    folder_write(&folder, "main.conf", whole_config);
    for (size_t i = 0; i < sizeof repeated_rows / sizeof *repeated_rows; i++) {
        folder_write(&folder, "conf.d/a.conf", repeated_rows[i].text);
        assert_int_equal(folder_load(&folder), REASON_CONFIG);
        if (strstr(folder_report(&folder), repeated_rows[i].message) == NULL)
            fail_msg("expected %s, got %s", repeated_rows[i].message,
                     folder_report(&folder));
    }
}

static void
a_grant_of_one_name_in_two_files_names_both(void **state)
{
    (void)state;
    write_grant("conf.d/a.conf", "nightly");
    folder_write(&folder, "main.conf", whole_config);
    assert_int_equal(folder_load(&folder), REASON_CONFIG);
    assert_non_null(
        strstr(folder_report(&folder),
               "conf.d/a.conf:1: grants[1].name: \"nightly\" is the grant at "
               "main.conf:23 as well"));
}

static void
an_error_in_each_of_two_files_is_told_for_both(void **state)
{
    (void)state;
    folder_write(&folder, "main.conf", "a = ;\n");
    folder_write(&folder, "conf.d/a.conf", "b = yes;\n");
    assert_int_equal(folder_load(&folder), REASON_CONFIG);
    assert_non_null(strstr(folder_report(&folder), "main.conf:1: a value is expected"));
    assert_non_null(strstr(folder_report(&folder), "conf.d/a.conf:1: write true"));
}

static void
files_of_other_names_are_not_read(void **state)
{
    (void)state;
    folder_write(&folder, "conf.d/.hidden.conf", "broken");
    folder_write(&folder, "conf.d/a.conf~", "broken");
    folder_write(&folder, "conf.d/a.conf.bak", "broken");
    load(whole_config);
}

static void
a_part_that_is_no_file_is_an_error_and_not_passed_over(void **state)
{
    char path[128];

    (void)state;
    snprintf(path, sizeof path, "%s/conf.d/a.conf", folder.path);
    assert_int_equal(symlink("nowhere", path), 0);
    folder_write(&folder, "main.conf", whole_config);
    assert_int_equal(folder_load(&folder), REASON_CONFIG);
    assert_non_null(strstr(folder_report(&folder), "conf.d/a.conf: cannot be read"));
}

static void
many_rules_load(void **state)
{
    enum { MANY = 3000 };
    struct buf text = { 0 };
    const struct conf_rule *rules;

    (void)state;
    folder_write(&folder, "main.conf", whole_config);
    buf_add_z(&text,
              "grants = ( { name = \"many\"; owner = \"a\"; approved_by = \"b\";\n"
              "ticket = \"c\"; approved_at = \"2026-11-20\";\n"
              "expires_at = \"2027-02-20\"; purposes = [\"p\"];\n"
              "task = \"standing\"; ttl = \"1h\"; caller = \"any\"; rules = (\n");
    for (int i = 0; i < MANY; i++)
        buf_printf(&text,
                   "%s{ host = \"h%d.example\"; methods = \"any\"; paths = "
                   "[\"/a\", \"/b/**\"]; }\n",
                   i == 0 ? "" : ",", i);
    buf_add_z(&text, "); } );\n");
    folder_write_bytes(&folder, "conf.d/many.conf", buf_text(&text).at,
                       buf_length(&text));
    buf_free(&text);
    assert_int_equal(folder_load(&folder), REASON_OK);
    rules = ((const struct conf_grant *)folder.conf->grants.at)[1].rules.at;
    assert_string_equal(rules[MANY - 1].host, "h2999.example");
    assert_int_equal(rules[MANY - 1].place.line, MANY + 4);
}

/* ---- a file that is read in pieces */

enum { GRANTS = 3, RULES = 1500 };

struct large {
    struct buf text;
    unsigned line, lines[GRANTS][RULES];
};

__attribute__((format(printf, 2, 3))) static void
put(struct large *l, const char *format, ...)
{
    char piece[512];
    va_list args;

    va_start(args, format);
    assert_in_range(vsnprintf(piece, sizeof piece, format, args), 0, sizeof piece - 1);
    va_end(args);
    buf_add_z(&l->text, piece);
    for (const char *c = piece; *c != '\0'; c++)
        l->line += *c == '\n';
}

static void
put_rule(struct large *l, int g, int i, const char *more)
{
    static const char *const blanks[] = {
        " # a ) and a }, \" too\n", "", "/* ({\n\n */", "\n", "  // ( \"\n",
    };

    put(l, "%s%s", i > 0 ? blanks[i % 5] : "", i > 0 ? "," : "");
    put(l, "%s", blanks[i % 3]);
    l->lines[g][i] = l->line;
    put(l, "{ host = \"h%d.example\";%s", i, blanks[i % 4]);
    put(l, "methods = \"any\"; paths = [\"/(%d,\" \"a)\"]; %s }", i, more);
}

/* A list within a list, each of them long. One rule has `more` in it. */
static void
write_large(struct large *l, int grant, int rule, const char *more)
{
    l->line = 1;
    put(l, "grants = (");
    for (int g = 0; g < GRANTS; g++) {
        put(l, "%s{ name = \"g%d\"; owner = \"a\"; approved_by = \"b\";\n",
            g == 0 ? "" : ", ", g);
        put(l, "ticket = \"c\"; approved_at = \"2026-11-20\"; ttl = \"1h\";\n"
               "expires_at = \"2027-02-20\"; purposes = [\"p\"]; rules = (");
        for (int i = 0; i < RULES; i++)
            put_rule(l, g, i, g == grant && i == rule ? more : "");
        put(l, "# the last\n); task = \"standing\"; caller = { uid = %d; }; }\n",
            1000 + g);
    }
    put(l, ");\n");
    folder_write(&folder, "main.conf", whole_config);
    folder_write_bytes(&folder, "conf.d/large.conf", buf_text(&l->text).at,
                       buf_length(&l->text));
    buf_free(&l->text);
}

static void
a_file_that_is_read_in_pieces_holds_what_was_written(void **state)
{
    static struct large l;
    const struct conf_grant *grants;
    char wanted[32];

    (void)state;
    write_large(&l, -1, -1, "");
    if (folder_load(&folder) != REASON_OK)
        fail_msg("%s", folder_report(&folder));
    grants = folder.conf->grants.at;
    assert_int_equal(folder.conf->grants.n, GRANTS + 1);
    for (int g = 0; g < GRANTS; g++) {
        const struct conf_rule *rules = grants[g + 1].rules.at;

        assert_int_equal(grants[g + 1].caller.uid, 1000 + g);
        assert_int_equal(grants[g + 1].rules.n, RULES);
        for (int i = 0; i < RULES; i++) {
            snprintf(wanted, sizeof wanted, "h%d.example", i);
            assert_string_equal(rules[i].host, wanted);
            snprintf(wanted, sizeof wanted, "/(%d,a)", i);
            assert_int_equal(rules[i].paths.n, 1);
            assert_string_equal(rules[i].paths.at[0], wanted);
            assert_int_equal(rules[i].place.line, l.lines[g][i]);
        }
    }
}

/* What scan.c finds, what libconfig finds, and what the schema finds. */
static void
a_slip_in_a_file_that_is_read_in_pieces_is_named_with_its_line(void **state)
{
    static const struct {
        int grant, rule;
        const char *more, *said;
    } rows[] = {
        { 0, 0, "port = 1; port = 2;", "this key stands twice in its group" },
        { 1, RULES / 2, "port = 1; port = 2;", "this key stands twice in its group" },
        { 2, RULES - 1, "bind = [1, \"x\"];", "the elements of one list are of one" },
        { 1, RULES - 2, "port = yes;", "write true instead of yes" },
        { 2, RULES / 3, "porth = 443;", "unknown key, did you mean port?" },
        { 0, RULES - 1, "port = 443000;", "is out of range" },
    };
    static struct large l;
    char place[64];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned line;

        write_large(&l, rows[i].grant, rows[i].rule, rows[i].more);
        assert_int_equal(folder_load(&folder), REASON_CONFIG);
        for (line = l.lines[rows[i].grant][rows[i].rule];; line++) {
            snprintf(place, sizeof place, "conf.d/large.conf:%u: ", line);
            if (strstr(folder_report(&folder), place) != NULL)
                break;
            /* its keys may stand on the next two */
            assert_in_range(line, 0, l.lines[rows[i].grant][rows[i].rule] + 2);
        }
        if (strstr(folder_report(&folder), rows[i].said) == NULL)
            fail_msg("row %zu: %s", i, folder_report(&folder));
    }
}

/* ---- lint */

static const struct {
    const char *from, *to;
    unsigned line;
    const char *kind, *fragment;
} lint_rows[] = {
    { "ttl = \"15m\"", "ttl = \"61m\"", 23, "long_ttl", "longer than an hour" },
    { "owner = \"a@example\"", "owner = \"security@example\"", 23, "own_approval",
      "approved what they own" },
    { "\"2027-02-20\"", "\"2026-11-20\"", 23, "expired", "refuses everything" },
    { "\"2027-02-20\"", "\"2026-11-22T00:00:00Z\"", 23, "expired",
      "refuses everything" },
    { "\"2026-11-20\"", "\"2027-01-20\"", 23, "approved_later", "in the future" },
    { "\"pypi.org\"", "\"*.pypi.org\"", 33, "wide_host",
      "\"*.pypi.org\" is every host below" },
    { "[\"HEAD\"]", "\"any\"", 33, "all_methods",
      "all methods are allowed at pypi.org" },
    { "approved_by = \"iam@example\"", "approved_by = \"security@example\"", 29,
      "one_approval", "both this grant and credential orders" },
    { "approved_by = \"iam@example\"", "approved_by = \"orders-team@example\"", 16,
      "own_approval",
      "credentials.orders: orders-team@example approved what they own" },
    { "keep = \"/run/ledger\"", "off_because = \"no disk\"", 39, "ledger_off",
      "nothing that is decided is recorded: no disk" },
};

enum { NOW = 1795305600 }; /* 2026-11-22 */

static void
expect_warning(const struct findings *found, size_t row)
{
    const struct finding *at = found->at;

    while (at->level != FINDING_WARNING)
        at++;
    if (at->place.line != lint_rows[row].line ||
        strcmp(at->kind, lint_rows[row].kind) != 0 ||
        strstr(at->message, lint_rows[row].fragment) == NULL)
        fail_msg("%s: line %u: %s: %s", lint_rows[row].to, at->place.line, at->kind,
                 at->message);
}

static void
lint_names_what_is_questionable(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lint_rows / sizeof *lint_rows; i++) {
        char *text = whole_with(lint_rows[i].from, lint_rows[i].to);
        struct findings found = { 0 };

        /* The standing task is a note, and so is a ledger without a witness; with each
         * row there is exactly one warning. */
        conf_lint(load(text), NOW, &found);
        assert_int_equal(findings_count(&found, FINDING_NOTE),
                         strcmp(lint_rows[i].kind, "ledger_off") == 0 ? 1 : 2);
        assert_int_equal(findings_count(&found, FINDING_WARNING), 1);
        expect_warning(&found, i);
        findings_free(&found);
        free(text);
    }
}

static void
what_was_decided_on_purpose_is_a_note(void **state)
{
    char *text = whole_with("filters =", "filters =");
    struct findings found = { 0 };

    (void)state;
    conf_lint(load(text), NOW, &found);
    assert_int_equal(found.n, 2);
    assert_int_equal(findings_count(&found, FINDING_NOTE), 2);
    assert_string_equal(found.at[0].kind, "no_witness");
    assert_int_equal(found.at[0].place.line, 39);
    assert_string_equal(found.at[1].kind, "standing");
    assert_int_equal(found.at[1].place.line, 23);
    findings_free(&found);
    free(text);
}

static void
a_ledger_with_a_witness_is_not_noted(void **state)
{
    char *text = whole_with("keep = \"/run/ledger\";",
                            "keep = \"/run/ledger\"; witness = { url = "
                            "\"https://w.example:8443/a/b?c=%20\"; };");
    struct findings found = { 0 };
    const struct conf *c = load(text);

    (void)state;
    assert_string_equal(c->ledger.witness.url, "https://w.example:8443/a/b?c=%20");
    assert_null(c->ledger.witness.trust);
    assert_int_equal(c->ledger.witness.timeout_ms, 5000);
    conf_lint(c, NOW, &found);
    assert_int_equal(found.n, 1);
    assert_string_equal(found.at[0].kind, "standing");
    findings_free(&found);
    free(text);
}

static void
findings_are_told_as_lines_and_as_json(void **state)
{
    struct findings f = { 0 };
    struct buf out = { 0 };

    (void)state;
    findings_add(&f, FINDING_NOTE, "standing", (struct place){ "a.conf", 7 }, "said %s",
                 "\"why\"");
    for (unsigned i = 0; i < 20; i++)
        findings_add(&f, FINDING_WARNING, "user", (struct place){ "a.conf", 0 }, "%u",
                     i);
    findings_print(&f, &out);
    assert_true(text_starts(buf_text(&out), text_z("a.conf:7: note: said \"why\"\n"
                                                   "a.conf: warning: 0\n")));
    buf_truncate(&out, 0);
    findings_write(&f, &out);
    assert_true(text_starts(
        buf_text(&out),
        text_z(
            "{\"level\":\"note\",\"kind\":\"standing\",\"file\":\"a.conf\",\"line\":7,"
            "\"message\":\"said "
            "\\\"why\\\"\"},{\"level\":\"warning\",\"kind\":\"user\","
            "\"file\":\"a.conf\",\"message\":\"0\"},")));
    assert_int_equal(findings_count(&f, FINDING_WARNING), 20);
    findings_free(&f);
    buf_free(&out);
}

static void
nothing_is_freed_twice_and_nothing_needs_no_freeing(void **state)
{
    struct conf *c = (struct conf *)&folder;

    (void)state;
    conf_free(NULL);
    folder_write(&folder, "main.conf", "a = 1;\n");
    assert_int_equal(folder_load(&folder), REASON_CONFIG);
    assert_int_equal(conf_load("/nowhere/at/all", NULL, 0, &folder.report, &c),
                     REASON_CONFIG);
    assert_null(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_example_loads),
        TEST(workload_doors_and_resolver_hold_what_was_written),
        TEST(grants_and_credentials_hold_what_was_written),
        TEST(every_group_knows_its_place),
        TEST(limits_that_are_not_written_are_those_of_the_design),
        TEST(a_filter_gets_its_settings_written_or_not),
        TEST(which_http_is_spoken_at_a_door_and_by_a_rule_is_as_written),
        TEST(what_the_grammar_allows_is_taken),
        TEST(a_byte_order_mark_and_carriage_returns_are_no_obstacle),
        TEST(a_workload_elsewhere_needs_no_uid),
        TEST(a_gate_alone_needs_no_workload),
        TEST(lists_concatenate_in_the_sorted_order_of_the_files),
        TEST(groups_merge_by_key_and_lists_inside_them_concatenate),
        TEST(what_two_files_set_is_an_error_that_names_both),
        TEST(a_grant_of_one_name_in_two_files_names_both),
        TEST(an_error_in_each_of_two_files_is_told_for_both),
        TEST(files_of_other_names_are_not_read),
        TEST(a_part_that_is_no_file_is_an_error_and_not_passed_over),
        TEST(many_rules_load),
        TEST(a_file_that_is_read_in_pieces_holds_what_was_written),
        TEST(a_slip_in_a_file_that_is_read_in_pieces_is_named_with_its_line),
        TEST(lint_names_what_is_questionable),
        TEST(what_was_decided_on_purpose_is_a_note),
        TEST(a_ledger_with_a_witness_is_not_noted),
        TEST(findings_are_told_as_lines_and_as_json),
        TEST(nothing_is_freed_twice_and_nothing_needs_no_freeing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
