/* Secrets, handles and bindings in the config: what is taken, what is refused with
 * which line, and what lint has to say of it. */
#include "folder.h"

#include "linted.h"

#define GITHUB "credentials.github"
#define JIRA   "credentials.jira-eu"
#define ORDERS "credentials.orders"
#define BEARER "grants[0].rules[0]"
#define HEADER "grants[0].rules[1]"
#define PROOF  "grants[0].rules[2]"
#define PLAIN  "grants[0].rules[3]"

#define SHAPE(z) "shape = \"" z "\""
#define VALUE(z) "value = \"" z "\""
#define FIELD(z) "header = \"" z "\""

static const struct {
    const char *from, *to;
    unsigned line;
    const char *key, *fragment;
} rows[] = {
    /* sources */
    { "path = \"/run/secrets/github\";", "", 12, GITHUB ".source.path",
      "write path = \"/run/secrets/github-token\";" },
    { "\"/run/secrets/github\"", "\"secrets/github\"", 12, GITHUB ".source.path",
      "is no absolute path" },
    { "\"/run/secrets/github\"", "\"./github\"", 12, GITHUB ".source.path",
      "is no absolute path" },
    { "\"/run/secrets/github\"", "\"/run/../github\"", 12, GITHUB ".source.path",
      "write the path itself" },
    { "\"/run/secrets/github\"", "\"/run//github\"", 12, GITHUB ".source.path",
      "write the path itself" },
    { "\"/run/secrets/github\"", "\"/run/secrets/\"", 12, GITHUB ".source.path",
      "write the path itself" },
    { "\"/run/secrets/github\"", "\"/run/public/github\"", 12, GITHUB ".source.path",
      "lies in ca.publish, which the workload can read" },
    { "\"/run/secrets/github\"", "\"\"", 12, GITHUB ".source.path", "is empty" },
    { "kind = \"authority\";", "kind = \"authority\"; path = \"/x\";", 19,
      ORDERS ".source.path", "remove it, or write kind = \"file\"" },
    { "kind = \"authority\";", "kind = \"aws\";", 19, ORDERS ".source.kind",
      "\"aws\" is not built yet: write kind = \"authority\" or \"file\" or" },
    { "kind = \"authority\";", "kind = \"flie\";", 19, ORDERS ".source.kind",
      "did you mean \"file\"?" },
    /* handles */
    { "\"write orders\";", "\"write orders\"; handle = { };", 19, ORDERS ".handle",
      "a source of kind \"authority\" yields no secret" },
    { "\"write orders\";", "\"write orders\"; header = \"X-Key\";", 19,
      ORDERS ".header", "a source of kind \"authority\" yields no secret" },
    { "\"write orders\";", "\"write orders\"; prefix = \"x\";", 19, ORDERS ".prefix",
      "a source of kind \"authority\" yields no secret" },
    { SHAPE("ghp_{36}"), SHAPE("ghp_36"), 13, GITHUB ".handle.shape",
      "has one {N} in it" },
    { SHAPE("ghp_{36}"), SHAPE("ghp_"), 13, GITHUB ".handle.shape",
      "write \"ghp_{36}\"" },
    { SHAPE("ghp_{36}"), SHAPE("{16}_{16}"), 13, GITHUB ".handle.shape",
      "has one {N} in it" },
    { SHAPE("ghp_{36}"), SHAPE("ghp_}36{"), 13, GITHUB ".handle.shape",
      "has one {N} in it" },
    { SHAPE("ghp_{36}"), SHAPE("ghp_{36"), 13, GITHUB ".handle.shape",
      "has one {N} in it" },
    { SHAPE("ghp_{36}"), SHAPE("ghp_{15}"), 13, GITHUB ".handle.shape",
      "write {16} to {128}" },
    { SHAPE("ghp_{36}"), SHAPE("ghp_{129}"), 13, GITHUB ".handle.shape",
      "write {16} to {128}" },
    { SHAPE("ghp_{36}"), SHAPE("ghp_{036}"), 13, GITHUB ".handle.shape",
      "write {16} to {128}" },
    { SHAPE("ghp_{36}"), SHAPE("ghp_{}"), 13, GITHUB ".handle.shape",
      "write {16} to {128}" },
    { SHAPE("ghp_{36}"), SHAPE("ghp_{+36}"), 13, GITHUB ".handle.shape",
      "write {16} to {128}" },
    { SHAPE("ghp_{36}"), SHAPE("gh p_{36}"), 13, GITHUB ".handle.shape",
      "without space, quotes, comma" },
    { SHAPE("ghp_{36}"), SHAPE("ghp_{36},"), 13, GITHUB ".handle.shape",
      "without space, quotes, comma" },
    { SHAPE("ghp_{36}"), SHAPE("ghp_{36};"), 13, GITHUB ".handle.shape", "semicolon" },
    { SHAPE("ghp_{36}"), SHAPE("ghp\\\\_{36}"), 13, GITHUB ".handle.shape",
      "backslash" },
    { SHAPE("ghp_{36}"), SHAPE("%67hp_{36}"), 13, GITHUB ".handle.shape", "percent" },
    { SHAPE("ghp_{36}"), SHAPE("\\\"{36}"), 13, GITHUB ".handle.shape", "quotes" },
    { SHAPE("ghp_{36}"), SHAPE("'{36}"), 13, GITHUB ".handle.shape", "quotes" },
    { SHAPE("ghp_{36}"), SHAPE("gh\xc3\xa4_{36}"), 13, GITHUB ".handle.shape",
      "visible ASCII" },
    { SHAPE("ghp_{36}"), SHAPE("ghp_{36}") "; value = \"0123456789abcdef\"", 13,
      GITHUB ".handle.value", "a handle has one of the two" },
    { VALUE("jira-0123456789abcdef"), VALUE("0123456789abcde"), 16,
      JIRA ".handle.value", "write at least 16 characters" },
    { VALUE("jira-0123456789abcdef"), VALUE("jira 0123456789abcdef"), 16,
      JIRA ".handle.value", "without space" },
    { VALUE("jira-0123456789abcdef"), VALUE("jira{16}0123456789"), 16,
      JIRA ".handle.value", "braces" },
    { SHAPE("ghp_{36}"), VALUE("jira-0123456789abcdef"), 16, JIRA ".handle.value",
      "is the handle of credential github as well" },
    { "env = \"GITHUB_TOKEN\"", "env = \"github_token\"", 13, GITHUB ".handle.env",
      "write one like \"GITHUB_TOKEN\"" },
    { "env = \"GITHUB_TOKEN\"", "env = \"4TOKEN\"", 13, GITHUB ".handle.env",
      "no variable's name" },
    { "env = \"GITHUB_TOKEN\"", "env = \"GITHUB-TOKEN\"", 13, GITHUB ".handle.env",
      "no variable's name" },
    { "env = \"GITHUB_TOKEN\"", "env = \"A=B\"", 13, GITHUB ".handle.env",
      "no variable's name" },
    { "env = \"GITHUB_TOKEN\"", "env = \"HOLDFAST_JIRA_EU\"", 16, JIRA ".handle.env",
      "\"HOLDFAST_JIRA_EU\" is the variable of credential github as well" },
    { "env = \"GITHUB_TOKEN\"", "file = \"x\"", 13, GITHUB ".handle.file",
      "unknown key" },
    { "handle = { shape = \"ghp_{36}\"; env = \"GITHUB_TOKEN\"; }",
      "handle = \"ghp_{36}\"", 13, GITHUB ".handle", "must be a group" },
    /* the field of a secret */
    { FIELD("X-Api-Key"), FIELD("X Api Key"), 17, JIRA ".header",
      "is no header field's name" },
    { FIELD("X-Api-Key"), FIELD("X-Api-Key:"), 17, JIRA ".header",
      "is no header field's name" },
    { FIELD("X-Api-Key"), FIELD(":authority"), 17, JIRA ".header",
      "is no header field's name" },
    { FIELD("X-Api-Key"), FIELD("Host"), 17, JIRA ".header", "no secret is put there" },
    { FIELD("X-Api-Key"), FIELD("content-length"), 17, JIRA ".header",
      "no secret is put there" },
    { FIELD("X-Api-Key"), FIELD("Transfer-Encoding"), 17, JIRA ".header",
      "no secret is put there" },
    { FIELD("X-Api-Key"), FIELD("Connection"), 17, JIRA ".header",
      "no secret is put there" },
    { FIELD("X-Api-Key"), FIELD("TE"), 17, JIRA ".header", "no secret is put there" },
    { FIELD("X-Api-Key"), FIELD("Upgrade"), 17, JIRA ".header",
      "no secret is put there" },
    { FIELD("X-Api-Key"), FIELD("Trailer"), 17, JIRA ".header",
      "no secret is put there" },
    { FIELD("X-Api-Key"), FIELD("Expect"), 17, JIRA ".header",
      "no secret is put there" },
    { FIELD("X-Api-Key"), FIELD("Proxy-Authorization"), 17, JIRA ".header",
      "no secret is put there" },
    { FIELD("X-Api-Key"), FIELD("Forwarded"), 17, JIRA ".header",
      "no secret is put there" },
    { FIELD("X-Api-Key"), FIELD("X-Forwarded-For"), 17, JIRA ".header",
      "no secret is put there" },
    { FIELD("X-Api-Key"), FIELD("Workload-Identity-Token"), 17, JIRA ".header",
      "no secret is put there" },
    { FIELD("X-Api-Key"), FIELD("X-Holdfast-Subject"), 17, JIRA ".header",
      "no secret is put there" },
    { FIELD("X-Api-Key"), FIELD("Cookie"), 17, JIRA ".header",
      "no secret is put there" },
    { "prefix = \"key \"", "prefix = \" key\"", 17, JIRA ".prefix",
      "begins with a space" },
    { "prefix = \"key \"", "prefix = \"k\xc3\xa9y\"", 17, JIRA ".prefix",
      "visible ASCII" },
    { "prefix = \"key \"", "prefix = \"key\\r\\nX: \"", 17, JIRA ".prefix",
      "control character" },
    { "env = \"GITHUB_TOKEN\"; };", "}; prefix = \"x\";", 13, GITHUB ".prefix",
      "write header = \"X-Api-Key\"; or remove it" },
    /* bindings */
    { "bind = [\"bearer\"]", "bind = [\"wimse\"]", 27, BEARER ".bind[0]",
      "a secret from a file cannot be bound" } /* and needs no unbound_because */,
    { "bind = [\"bearer\"]", "bind = [\"wimse\", \"bearer\"]", 27, BEARER ".bind[0]",
      "a secret from a file cannot be bound" },
    { "bind = [\"bearer\"]", "bind = [\"header\"]", 27, BEARER ".bind[0]",
      "its credential does not say in which" },
    { "bind = [\"header\"]", "bind = [\"header\", \"bearer\"]", 29, HEADER ".bind",
      "one of them would be presented and the others never" },
    { "bind = [\"bearer\"]", "bind = [\"bearer\", \"bearer\"]", 27, BEARER ".bind",
      "write one" },
    { "bind = [\"wimse\"]", "bind = [\"wimse\", \"wimse\"]", 31, PROOF ".bind",
      "says \"wimse\" twice" },
    { "bind = [\"wimse\"];", "bind = [\"bearer\"]; unbound_because = \"x\";", 31,
      PROOF ".bind[0]", "write \"httpsig\" or \"wimse\"" },
    { "bind = [\"wimse\"];", "bind = [\"wimse\", \"header\"]; unbound_because = \"x\";",
      31, PROOF ".bind[1]", "write \"httpsig\" or \"wimse\"" },
    { "bind = [\"bearer\"]", "bind = [\"baerer\"]", 27, BEARER ".bind[0]",
      "did you mean \"bearer\"?" },
    { "bind = [\"bearer\"]", "bind = [\"basic\"]", 27, BEARER ".bind[0]",
      "is not built yet: write \"header\" or \"bearer\"" },
    { "bind = [\"bearer\"];", "", 26, BEARER ".bind", "write bind = [\"bearer\"];" },
    { "bind = [\"bearer\"]", "bind = []", 27, BEARER ".bind", "is empty" },
    { "unbound_because = \"bearer only\";", "", 26, BEARER ".unbound_because",
      "is missing where the secret itself leaves" },
    { "unbound_because = \"keys only\";", "", 28, HEADER ".unbound_because",
      "is missing where the secret itself leaves" },
    { "\"bearer only\"", "\"\"", 27, BEARER ".unbound_because", "is empty" },
    { "inject = \"always\";", "inject = \"always\"; unbound_because = \"x\";", 31,
      PROOF ".unbound_because", "nothing leaves unbound here: remove it" },
    { "host = \"pypi.org\";", "host = \"pypi.org\"; unbound_because = \"x\";", 32,
      PLAIN ".unbound_because", "nothing leaves unbound here: remove it" },
    { "inject = \"always\";", "", 30, PROOF ".inject",
      "the authority has no handle that could be shown" },
    { "inject = \"always\";", "inject = \"on_handle\";", 31, PROOF ".inject",
      "write inject = \"always\";" },
    { "\"bearer only\";", "\"bearer only\"; scheme = \"http\";", 27,
      BEARER ".credential", "never presented over plain http" },
    { "\"bearer only\";", "\"bearer only\"; signed_urls = \"pass\";", 27,
      BEARER ".signed_urls", "only in a rule without credential" },
    /* ops doors, workers, the control socket */
    { "kind = \"ops\"; listen = \"0.0.0.0:15021\";", "kind = \"ops\";", 8,
      "doors[1].listen", "is missing" },
    { "kind = \"ops\";", "kind = \"ops\"; certificate = \"/c\";", 8,
      "doors[1].certificate", "belongs to a gate" },
    { "kind = \"ops\";", "kind = \"ops\"; key = \"/k\";", 8, "doors[1].key",
      "belongs to a gate" },
    { "kind = \"ops\";", "kind = \"ops\"; rules = ( );", 8, "doors[1].rules",
      "is empty" } /* and belongs to a gate */,
    { "kind = \"ops\";", "kind = \"ops\"; replay_entries = 5;", 8,
      "doors[1].replay_entries", "belongs to a gate" },
    { "kind = \"ops\";", "kind = \"ops\"; http2 = false;", 8, "doors[1].http2",
      "an ops door speaks HTTP/1.1" },
    { "0.0.0.0:15021", "0.0.0.0:15001", 8, "doors[1].listen", "the door on line 7" },
    { "kind = \"forward\"", "kind = \"ops\"", 6, "doors",
      "an ops door tells of the others, and there is none" },
    { "workers = 2", "workers = -1", 5, "workers", "write a value from 0 to 256" },
    { "workers = 2", "workers = 257", 5, "workers", "write a value from 0 to 256" },
    { "workers = 2", "workers = \"2\"", 5, "workers", "must be an integer" },
    { "watch = true", "watch = 1", 5, "watch", "must be a boolean" },
    { "\"/run/control/control.sock\"", "\"control.sock\"", 4, "control.socket",
      "is no absolute path" },
    { "\"/run/control/control.sock\"", "\"/run/public/control.sock\"", 4,
      "control.socket", "lies in ca.publish" },
    { "\"/run/control/control.sock\"",
      "\"/run/0123456789012345678901234567890123456789012345678901234567890123456789"
      "01234567890123456789012345678901234\"",
      4, "control.socket", "is longer than the 107 bytes of a socket's path" },
    { "socket = ", "sockte = ", 4, "control.sockte", "did you mean socket?" },
};

/* Rows whose one slip is rightly two errors. */
static bool
is_double(const char *to)
{
    return strcmp(to, "bind = [\"wimse\"]") == 0 ||
           strcmp(to, "kind = \"ops\"; rules = ( );") == 0;
}

static void
a_wrong_credential_is_named_with_its_line_its_path_and_what_to_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = spoil(secret_config, rows[i].from, rows[i].to);

        folder_expect(&folder, text, rows[i].line, rows[i].key, rows[i].fragment,
                      is_double(rows[i].to) ? 2 : 1);
        free(text);
    }
}

/* ---- what is taken */

static void
secrets_and_handles_hold_what_was_written(void **state)
{
    const struct conf *c = load(secret_config);
    const struct conf_credential *github = conf_credential(c, "github");
    const struct conf_credential *jira = conf_credential(c, "jira-eu");
    const struct conf_credential *orders = conf_credential(c, "orders");

    (void)state;
    assert_int_equal(github->source.kind, SOURCE_FILE);
    assert_string_equal(github->source.path, "/run/secrets/github");
    assert_string_equal(github->handle.shape, "ghp_{36}");
    assert_string_equal(github->handle.env, "GITHUB_TOKEN");
    assert_null(github->handle.value);
    assert_null(github->header);
    assert_null(github->prefix);
    assert_string_equal(jira->handle.value, "jira-0123456789abcdef");
    assert_null(jira->handle.shape);
    assert_null(jira->handle.env);
    assert_string_equal(jira->header, "X-Api-Key");
    assert_string_equal(jira->prefix, "key ");
    assert_null(orders->source.path);
    assert_null(orders->handle.shape);
}

static void
a_rule_without_inject_waits_for_the_handle(void **state)
{
    const struct conf *c = load(secret_config);
    const struct conf_grant *g = c->grants.at;
    const struct conf_rule *rules = g->rules.at;

    (void)state;
    assert_int_equal(rules[0].inject, INJECT_ON_HANDLE);
    assert_string_equal(rules[0].bind.at[0], conf_bind_words[BIND_BEARER]);
    assert_string_equal(rules[0].unbound_because, "bearer only");
    assert_int_equal(rules[1].inject, INJECT_ON_HANDLE);
    assert_string_equal(rules[1].bind.at[0], conf_bind_words[BIND_HEADER]);
    assert_int_equal(rules[2].inject, INJECT_ALWAYS);
    assert_null(rules[2].unbound_because);
}

static void
workers_watch_control_and_ops_hold_what_was_written_and_default_to_little(void **state)
{
    const struct conf *c = load(secret_config);
    const struct conf_door *doors = c->doors.at;

    (void)state;
    assert_int_equal(c->workers, 2);
    assert_true(c->watch);
    assert_string_equal(c->control.socket, "/run/control/control.sock");
    assert_int_equal(doors[1].kind, DOOR_OPS);
    assert_int_equal(doors[1].listen.port, 15021);
    c = load(whole_config);
    assert_int_equal(c->workers, 0);
    assert_false(c->watch);
    assert_null(c->control.socket);
}

static const struct {
    const char *from, *to;
} good_rows[] = {
    { "handle = { shape = \"ghp_{36}\"; env = \"GITHUB_TOKEN\"; };", "" },
    { "handle = { shape = \"ghp_{36}\"; env = \"GITHUB_TOKEN\"; };", "handle = { };" },
    { SHAPE("ghp_{36}"), SHAPE("{16}") },
    { SHAPE("ghp_{36}"), SHAPE("sk-proj-{128}_AA!#$&()*+./:<=>?@[]^`|~") },
    { VALUE("jira-0123456789abcdef"), VALUE("0123456789abcdef") },
    { "env = \"GITHUB_TOKEN\"", "env = \"_G1\"" },
    { FIELD("X-Api-Key"), FIELD("Authorization") },
    { FIELD("X-Api-Key"), FIELD("x-forward") },
    { FIELD("X-Api-Key"), FIELD("Workload-Token-Of-Ours") },
    { FIELD("X-Api-Key"), FIELD("Teams-Key") },
    { "prefix = \"key \";", "" },
    { "prefix = \"key \";", "prefix = \"Key token=\\\"\";" },
    /* a field that no rule of this credential needs yet */
    { "env = \"GITHUB_TOKEN\"; };", "}; header = \"X-Key\";" },
    { "\"bearer only\";", "\"bearer only\"; inject = \"always\";" },
    { "\"bearer only\";", "\"bearer only\"; inject = \"on_handle\";" },
    { "\"/run/secrets/github\"", "\"/run/secrets/jira\"" },
    { "\"/run/secrets/github\"", "\"/run/publican/github\"" },
    { "workers = 2", "workers = 0" },
    { "workers = 2", "workers = 256" },
    { "{ kind = \"ops\"; listen = \"0.0.0.0:15021\"; }",
      "{ kind = \"ops\"; listen = \"0.0.0.0:15021\"; },\n"
      "{ kind = \"ops\"; listen = \"127.0.0.1:0\"; }" },
};

static void
what_fits_together_is_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_rows / sizeof *good_rows; i++) {
        char *text = spoil(secret_config, good_rows[i].from, good_rows[i].to);

        load(text);
        free(text);
    }
}

static void
two_names_that_make_one_variable_are_told_apart_by_the_operator(void **state)
{
    char *text = spoil(secret_config, "  jira-eu = {",
                       "  jira_eu = { owner = \"o\"; approved_by = \"a\"; ticket = "
                       "\"t\"; rotate_every = \"7d\";\n"
                       "privileges = \"p\"; source = { kind = \"file\"; path = "
                       "\"/run/secrets/j\"; }; };\n"
                       "  jira-eu = {");

    (void)state;
    folder_expect(&folder, text, 18, JIRA ".handle.env",
                  "\"HOLDFAST_JIRA_EU\" is the variable of credential jira_eu as well",
                  1);
    free(text);
}

/* ---- lint */

static void
lint_tells_every_secret_that_leaves_unbound_and_why(void **state)
{
    /* And the standing task, and the ledger that is off. */
    const char *said = lint(secret_config, 4);

    (void)state;
    assert_non_null(
        strstr(said, "main.conf:26: note: grant nightly: bearer: bearer only\n"));
    assert_non_null(
        strstr(said, "main.conf:28: note: grant nightly: header: keys only\n"));
}

static void
lint_names_a_secret_that_no_rule_uses(void **state)
{
    char *text = spoil(
        secret_config,
        "credential = \"github\"; bind = [\"bearer\"]; unbound_because = "
        "\"bearer only\"; },",
        "},");

    (void)state;
    assert_non_null(strstr(lint(text, 4),
                           "main.conf:11: warning: credentials.github: no rule "
                           "uses it: its secret is held for nothing\n"));
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_wrong_credential_is_named_with_its_line_its_path_and_what_to_write),
        TEST(secrets_and_handles_hold_what_was_written),
        TEST(a_rule_without_inject_waits_for_the_handle),
        TEST(workers_watch_control_and_ops_hold_what_was_written_and_default_to_little),
        TEST(what_fits_together_is_taken),
        TEST(two_names_that_make_one_variable_are_told_apart_by_the_operator),
        TEST(lint_tells_every_secret_that_leaves_unbound_and_why),
        TEST(lint_names_a_secret_that_no_rule_uses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
