/* Every key of the config. The order here is the order of the reference and of the
 * printed defaults. */
#include "conf/tables.h"

#include <assert.h>
#include <stdalign.h>
#include <string.h>

const char *const conf_bind_words[] = {
    [BIND_WIMSE] = "wimse", [BIND_HEADER] = "header", [BIND_BEARER] = "bearer", NULL
};

static const char *const door_kinds[] = {
    [DOOR_FORWARD] = "forward", [DOOR_GATE] = "gate", [DOOR_OPS] = "ops", NULL
};
static const char *const source_kinds[] = {
    [SOURCE_AUTHORITY] = "authority", [SOURCE_FILE] = "file", NULL
};
static const char *const tasks[] = {
    [TASK_STANDING] = "standing", [TASK_REQUIRED] = "required", [TASK_POD] = "pod", NULL
};
static const char *const durables[] = {
    [CONF_DURABLE_QUEUE] = "queue", [CONF_DURABLE_DECISION] = "decision", NULL
};
static const char *const schemes[] = {
    [SCHEME_HTTPS] = "https", [SCHEME_HTTP] = "http", NULL
};
static const char *const http_words[] = {
    [CONF_HTTP_AUTO] = "auto", [CONF_HTTP_1] = "1.1", [CONF_HTTP_2] = "2", NULL
};
static const char *const injects[] = {
    [INJECT_ON_HANDLE] = "on_handle", [INJECT_ALWAYS] = "always", NULL
};
static const char *const slashes[] = { "refuse", "pass", NULL };
static const char *const passes[] = {
    [CONF_STRIP] = "strip", [CONF_PASS] = "pass", NULL
};
static const char *const details[] = {
    [DETAIL_NONE] = "none", [DETAIL_REASON] = "reason", [DETAIL_HINT] = "hint", NULL
};
/* As enum log_format and enum log_level count them. */
static const char *const log_formats[] = { "auto", "json", "short", NULL };
static const char *const log_levels[] = { "error", "warn", "info", "debug", NULL };

/* clang-format off */
#define IN(holder, field) offsetof(struct holder, field)
#define MUST SETTING_REQUIRED

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
#define DAY ((int64_t)24 * HOUR)
#define KIB ((int64_t)1024)
#define MIB (1024 * KIB)

#define STRING(key, at, must, text) \
    { .name = key, .type = SETTING_STRING, .offset = at, .flags = must, .sentence = text }
#define STRINGS(key, at, must, text) \
    { .name = key, .type = SETTING_STRINGS, .offset = at, .flags = must, .sentence = text }
#define STRINGS_OR_ANY(key, at, text) \
    { .name = key, .type = SETTING_STRINGS_OR_ANY, .offset = at, .flags = MUST, .sentence = text }
#define INTEGER(key, at, normal, least, most, text) \
    { .name = key, .type = SETTING_INTEGER, .offset = at, .standard = normal, .min = least, .max = most, \
      .sentence = text }
#define DURATION(key, at, must, normal, least, most, text) \
    { .name = key, .type = SETTING_DURATION, .offset = at, .flags = must, .standard = normal, .min = least, \
      .max = most, .sentence = text }
#define SIZE(key, at, normal, least, most, text) \
    { .name = key, .type = SETTING_SIZE, .offset = at, .standard = normal, .min = least, .max = most, \
      .sentence = text }
#define BOOL(key, at, normal, text) \
    { .name = key, .type = SETTING_BOOL, .offset = at, .standard = normal, .sentence = text }
#define CHOICE(key, at, must, normal, words, text) \
    { .name = key, .type = SETTING_CHOICE, .offset = at, .flags = must, .standard = normal, .choices = words, \
      .sentence = text }
#define DATE(key, at, how, text) \
    { .name = key, .type = SETTING_DATE, .offset = at, .flags = how, .sentence = text }
#define GROUP(key, at, must, table, text) \
    { .name = key, .type = SETTING_GROUP, .offset = at, .flags = must, .inner = table, .sentence = text }
#define GROUPS(key, at, must, table, holder, text) \
    { .name = key, .type = SETTING_GROUPS, .offset = at, .flags = must, .inner = table, \
      .inner_size = sizeof(struct holder), .sentence = text }
#define END { .name = NULL }

static const struct setting workload[] = {
    STRING("id", IN(conf_workload, id), 0,
           "Who the workload is: a SPIFFE or WIMSE identifier inside the trust domain `authority.name`. Required with a forward door."),
    INTEGER("uid", IN(conf_workload, uid), NULL, 0, 4294967294,
            "The uid the workload runs under; Holdfast refuses to start under the same one. Required with a forward door on loopback."),
    STRING("pod", IN(conf_workload, pod), 0,
           "The uid of the pod or claim the workload runs in: the id of tasks of `task = \"pod\"`. Required with one."),
    END
};

static const struct setting ca[] = {
    STRING("keep", IN(conf_ca, keep), 0,
           "Directory of the CA's key: memory-backed, Holdfast's alone. A restart that finds the key there breaks no client. Required with a forward door."),
    STRING("publish", IN(conf_ca, publish), 0,
           "Directory the workload can read: `ca.pem`, `bundle.pem` (the system's roots and ours) and `jwks.json` appear in it. Required with a forward door."),
    DURATION("valid", IN(conf_ca, valid_ms), 0, "30d", HOUR, 3650 * DAY,
             "How long a new CA certificate is valid."),
    END
};

static const struct setting authority[] = {
    STRING("keep", IN(conf_authority, keep), 0,
           "Directory of the authority's signing key: Holdfast's alone. Required with a forward door."),
    STRING("name", IN(conf_authority, name), 0,
           "The trust domain the authority issues identity tokens for. Required with a forward door."),
    END
};

static const struct setting hosts_row[] = {
    STRING("name", IN(conf_hosts_row, name), MUST, "The host name."),
    STRINGS("addresses", IN(conf_hosts_row, addresses), MUST,
            "What it resolves to. The addresses are judged like any other answer."),
    END
};

static const struct setting resolver[] = {
    STRINGS("servers", IN(conf_resolver, servers), SETTING_ALLOW_EMPTY,
            "Name servers: `\"10.96.0.10\"`, `\"127.0.0.1:5353\"`. Empty: those of `/etc/resolv.conf`."),
    GROUPS("hosts", IN(conf_resolver, hosts), SETTING_ALLOW_EMPTY, hosts_row, conf_hosts_row,
           "Answers of our own, for tests and closed networks."),
    DURATION("timeout", IN(conf_resolver, timeout_ms), 0, "3s", 100, 30 * SECOND,
             "For one resolution, all tries together."),
    END
};

static const struct setting logging[] = {
    STRING("path", IN(conf_log, path), 0,
           "The log file; `\"-\"` or nothing is standard error."),
    CHOICE("format", IN(conf_log, format), 0, "auto", log_formats,
           "JSON lines, short text, or short text on a terminal and JSON elsewhere."),
    CHOICE("level", IN(conf_log, level), 0, "info", log_levels,
           "The least level that is written."),
    END
};

static const struct setting trust[] = {
    STRING("domain", IN(conf_trust, domain), MUST,
           "A trust domain whose workloads may come in, if a rule lets them."),
    STRING("jwks_file", IN(conf_trust, jwks_file), MUST,
           "The keys of that domain's authorities, as they publish them."),
    STRINGS("subjects", IN(conf_trust, subjects), MUST,
            "Identifiers of that domain that are believed; one that ends in `/*` means any below."),
    STRINGS("issuers", IN(conf_trust, issuers), 0,
            "Accepted `iss` claims. Without it: `spiffe://` or `wimse://` and the domain."),
    END
};

static const struct setting gate_rule[] = {
    STRINGS_OR_ANY("methods", IN(conf_gate_rule, methods), "Methods that may pass."),
    STRINGS_OR_ANY("paths", IN(conf_gate_rule, paths),
                   "Paths that may pass: `*` is one whole segment, `**` at the end any tail."),
    STRINGS_OR_ANY("subjects", IN(conf_gate_rule, subjects),
                   "Workloads that may pass; `\"any\"`: all that the trust believes."),
    STRINGS_OR_ANY("grants", IN(conf_gate_rule, grants),
                   "Values of the grant in the token's context that are accepted."),
    STRINGS_OR_ANY("purposes", IN(conf_gate_rule, purposes),
                   "Values of the purpose in the token's context that are accepted."),
    CHOICE("encoded_slashes", IN(conf_gate_rule, encoded_slashes), 0, "refuse", slashes,
           "Whether a path may hold `%2F`, which some services read as a slash and some do not."),
    BOOL("require_body_digest", IN(conf_gate_rule, require_body_digest), "false",
         "The proof must cover the body."),
    BOOL("websocket", IN(conf_gate_rule, websocket), "false",
         "Whether a GET may open a WebSocket: its handshake is proved like any request, what follows passes as it comes."),
    END
};

static const struct setting door[] = {
    CHOICE("kind", IN(conf_door, kind), MUST, NULL, door_kinds,
           "`forward`: the workload's way out (CONNECT and absolute-form). `gate`: the verifying side, in front of a service. `ops`: read-only `/healthz`, `/readyz` and `/metrics`; it takes `listen` and nothing else."),
    { .name = "listen", .type = SETTING_LISTEN, .offset = IN(conf_door, listen), .flags = MUST,
      .sentence = "Address and port; port 0 lets the kernel choose." },
    BOOL("http2", IN(conf_door, http2), "true",
         "Forward and gate: clients are offered HTTP/2 inside TLS, beside HTTP/1.1."),
    BOOL("h2c", IN(conf_door, h2c), "false",
         "Forward: HTTP/2 with prior knowledge is taken in the clear, as a proxy request or after CONNECT. Without it such a client is refused."),
    STRING("certificate", IN(conf_door, certificate), 0,
           "Gate: PEM file of the chain shown to clients. Required there."),
    STRING("key", IN(conf_door, key), 0,
           "Gate: PEM file of its key, owned by `user` (or root) and readable by nobody else, mode 0600. Required there."),
    STRINGS("names", IN(conf_door, names), 0,
            "Gate: its own origins, with the port unless it is 443, `\"https://orders.example:8443\"`: what proofs must be made for. Required there."),
    STRING("upstream", IN(conf_door, upstream), 0,
           "Gate: the service behind, `\"http://127.0.0.1:8080\"` or `\"https://...\"`. Required there."),
    STRING("upstream_trust", IN(conf_door, upstream_trust), 0,
           "Gate: CA file for an https upstream; without it the system's roots."),
    CHOICE("upstream_http", IN(conf_door, upstream_http), 0, "auto", http_words,
           "Gate: which HTTP its service is spoken to in, as `http` of a rule."),
    GROUPS("trust", IN(conf_door, trust), 0, trust, conf_trust,
           "Gate: whose tokens are believed. Required there."),
    GROUPS("rules", IN(conf_door, rules), 0, gate_rule, conf_gate_rule,
           "Gate: what may pass to the service; what fits no rule is refused. Required there."),
    BOOL("keep_proof", IN(conf_door, keep_proof), "false",
         "Gate: leave token and proof in the request for the service to see."),
    INTEGER("replay_entries", IN(conf_door, replay_entries), "65536", 1, 16777216,
            "Gate: proofs remembered against replay; when it is full, requests are refused."),
    END
};

static const struct setting source[] = {
    CHOICE("kind", IN(conf_source, kind), MUST, NULL, source_kinds,
           "`authority`: our own authority issues a workload identity token for the task. `file`: a file holds the secret."),
    STRING("path", IN(conf_source, path), 0,
           "File: the secret and one newline at most behind it; an absolute path. Its directory is watched: a new secret is used as soon as it is whole. Required there."),
    END
};

static const struct setting handle[] = {
    STRING("shape", IN(conf_handle, shape), 0,
           "What the handle looks like: text with one `{N}` in it, 16 to 128, in whose place N random letters and digits stand: `\"ghp_{36}\"`. Without shape and value: `\"hf_{32}\"`."),
    STRING("value", IN(conf_handle, value), 0,
           "The handle itself, for an environment that is written before Holdfast starts: at least 16 characters, unlike any other credential's. Instead of `shape`."),
    STRING("env", IN(conf_handle, env), 0,
           "The variable it is published as in `handles.env`. Without it: `HOLDFAST_` and the credential's name in capitals, `-` as `_`."),
    END
};

static const struct setting credential[] = {
    STRING("name", IN(conf_credential, name), 0, "The group's own name."),
    STRING("owner", IN(conf_credential, owner), MUST, "Who answers for it."),
    STRING("approved_by", IN(conf_credential, approved_by), MUST,
           "Who approved its use; better somebody else than the approver of the grants that use it."),
    STRING("ticket", IN(conf_credential, ticket), MUST, "Where the approval is written down."),
    DURATION("rotate_every", IN(conf_credential, rotate_every_ms), MUST, NULL, MINUTE, 3650 * DAY,
             "How often it is replaced by a new one."),
    STRING("privileges", IN(conf_credential, privileges), MUST,
           "What the upstream lets its holder do, in words for the ledger."),
    GROUP("source", IN(conf_credential, source), MUST, source, "Where it comes from."),
    GROUP("handle", IN(conf_credential, handle), 0, handle,
          "What the workload holds in its stead; only of a source that yields a secret (`file`)."),
    STRING("header", IN(conf_credential, header), 0,
           "The header field it is presented in by `bind = [\"header\"]`: `\"X-Api-Key\"`. Required there."),
    STRING("prefix", IN(conf_credential, prefix), 0,
           "What stands before it in that field, with the space between them: `\"token \"`."),
    END
};

static const struct setting caller[] = {
    { .name = "uid", .type = SETTING_INTEGER, .offset = IN(conf_caller, uid), .flags = MUST, .min = 0,
      .max = 4294967294, .sentence = "The uid of the calling process, as the kernel tells it." },
    END
};

static const struct setting rule[] = {
    STRING("host", IN(conf_rule, host), MUST,
           "A host name, an address (IPv6 in brackets), or `*.` and a name: one or more labels below it, not the name itself."),
    INTEGER("port", IN(conf_rule, port), NULL, 1, 65535,
            "The port; without it the scheme's own (443 or 80)."),
    CHOICE("scheme", IN(conf_rule, scheme), 0, "https", schemes,
           "`http` never carries a credential."),
    CHOICE("http", IN(conf_rule, http), 0, "auto", http_words,
           "Which HTTP the host is spoken to in. `auto`: inside TLS the host chooses, in the clear it is 1.1. `2`: nothing else, in the clear with prior knowledge; for gRPC there."),
    STRINGS_OR_ANY("methods", IN(conf_rule, methods), "Methods that are allowed."),
    STRINGS_OR_ANY("paths", IN(conf_rule, paths),
                   "Paths that are allowed: `*` is one whole segment, `**` at the end any tail."),
    STRING("credential", IN(conf_rule, credential), 0,
           "The name of the credential that is presented; with it `bind` must be written."),
    STRINGS("bind", IN(conf_rule, bind), 0,
            "How it is presented. `wimse` (of source `authority`): a token and a proof made for this one request; a copy is useless. `bearer` (`Authorization: Bearer`) and `header` (the credential's `header`), of source `file`: the secret itself."),
    STRING("unbound_because", IN(conf_rule, unbound_because), 0,
           "Why a secret may leave unbound, for the log and for `check --lint`. Required with `bearer` and `header`, an error with anything else."),
    CHOICE("inject", IN(conf_rule, inject), 0, "on_handle", injects,
           "When it is presented: where the workload shows its handle, or `always`. `authority` has no handle: write `always` there."),
    CHOICE("cookies", IN(conf_rule, cookies), 0, "strip", passes,
           "What happens to the workload's own cookies."),
    CHOICE("encoded_slashes", IN(conf_rule, encoded_slashes), 0, "refuse", slashes,
           "Whether a path may hold `%2F`, which some services read as a slash and some do not: npm's scoped packages and GitLab's projects need `pass`."),
    CHOICE("signed_urls", IN(conf_rule, signed_urls), 0, "strip", passes,
           "`pass` lets signed query strings through on GET and HEAD; only in a rule without credential."),
    BOOL("websocket", IN(conf_rule, websocket), "false",
         "Whether a GET may open a WebSocket: its handshake is judged, stripped and signed like any request, what follows passes as it comes until its task ends."),
    { .name = "addresses", .type = SETTING_CIDRS, .offset = IN(conf_rule, addresses),
      .sentence = "Private or special addresses this rule may reach; a metadata service only by its exact address." },
    STRING("upstream_trust", IN(conf_rule, upstream_trust), 0,
           "CA file for this host; without it the system's roots."),
    STRINGS("purposes", IN(conf_rule, purposes), 0,
            "Those of the grant's purposes that this rule is for; without it all of them."),
    END
};

static const struct setting grant[] = {
    STRING("name", IN(conf_grant, name), MUST, "What the ledger, the log and the tokens call it."),
    STRING("owner", IN(conf_grant, owner), MUST, "Who answers for it."),
    STRING("approved_by", IN(conf_grant, approved_by), MUST, "Who approved it; better not its owner."),
    STRING("ticket", IN(conf_grant, ticket), MUST, "Where the approval is written down."),
    DATE("approved_at", IN(conf_grant, approved_at), MUST, "When it was approved."),
    DATE("expires_at", IN(conf_grant, expires_at), MUST | SETTING_LAST_SECOND,
         "When it ends; a day means its last second. An expired grant refuses."),
    STRINGS("purposes", IN(conf_grant, purposes), MUST,
            "What it is for. A task states one of them, and so do its tokens; `standing` and `pod`, which nobody starts, have exactly one."),
    CHOICE("task", IN(conf_grant, task), MUST, NULL, tasks,
           "`required`: an orchestrator starts each task and ends it. `pod`: begun with Holdfast, under the id `workload.pod`, and ended with it. `standing`: begun at first need, renewed by `ttl`."),
    DURATION("ttl", IN(conf_grant, ttl_ms), MUST, NULL, 10 * SECOND, 30 * DAY,
             "How long one task lives, with its keys and tokens."),
    DURATION("drain", IN(conf_grant, drain_ms), 0, "0s", 0, HOUR,
             "How long running exchanges of a task that has ended may finish; `0s` cuts them at once."),
    { .name = "caller", .type = SETTING_CALLER, .offset = IN(conf_grant, caller), .flags = MUST,
      .inner = caller, .inner_size = sizeof(struct conf_caller),
      .sentence = "Which processes may use it. What cannot be established does not match." },
    GROUPS("rules", IN(conf_grant, rules), MUST, rule, conf_rule, "What it allows."),
    END
};

static const struct setting control[] = {
    STRING("socket", IN(conf_control, socket), 0,
           "Path of the control socket, in a directory that is Holdfast's alone; mode 0600. Without it there is none."),
    END
};

static const struct setting witness[] = {
    STRING("url", IN(conf_witness, url), 0,
           "Where checkpoints are sent by POST: `\"https://witness.example/checkpoints\"`. It may have a private address; a metadata service is never dialled. Without it there is no witness."),
    STRING("trust", IN(conf_witness, trust), 0,
           "CA file it is verified against; without it the system's roots."),
    DURATION("timeout", IN(conf_witness, timeout_ms), 0, "5s", 100, 60 * SECOND,
             "For one request to it, all of it; also how long Holdfast waits for it at its own end."),
    END
};

static const struct setting ledger[] = {
    STRING("keep", IN(conf_ledger, keep), 0,
           "Directory of the record of what was decided, on whose authority: Holdfast's alone, on a disk that outlives it. With a forward door either this or `off_because`."),
    STRING("off_because", IN(conf_ledger, off_because), 0,
           "Why nothing is recorded, for `check --lint`. Instead of `keep`."),
    CHOICE("durable", IN(conf_ledger, durable), 0, "queue", durables,
           "What a request waits for before its first byte leaves: that the ledger's bounded queue has taken its record (`queue`), or that the disk has it (`decision`)."),
    SIZE("segment", IN(conf_ledger, segment_bytes), "64m", 64 * KIB, 16 * KIB * MIB,
         "How large one of its files grows before the next is begun."),
    GROUP("witness", IN(conf_ledger, witness), 0, witness,
          "A place elsewhere that is sent the ledger's checkpoints: one of them finds a cut tail and an old state put back. No request waits for it."),
    END
};

static const struct setting limits[] = {
    INTEGER("connections", IN(conf_limits, connections), "1024", 1, 1000000, "Client connections per worker."),
    INTEGER("handshakes", IN(conf_limits, handshakes), "64", 1, 100000, "Client connections in their TLS handshake, per worker."),
    SIZE("head", IN(conf_limits, head_bytes), "32k", KIB, MIB, "Bytes of one request or response head."),
    INTEGER("fields", IN(conf_limits, fields), "100", 8, 1000, "Header fields in one head."),
    SIZE("target", IN(conf_limits, target_bytes), "8k", 256, 64 * KIB, "Bytes of a request target."),
    DURATION("head_timeout", IN(conf_limits, head_timeout_ms), 0, "10s", 100, HOUR, "Until a request head is whole."),
    DURATION("handshake_timeout", IN(conf_limits, handshake_timeout_ms), 0, "10s", 100, HOUR, "For a TLS handshake, either side."),
    DURATION("connect_timeout", IN(conf_limits, connect_timeout_ms), 0, "5s", 100, HOUR, "Until an upstream takes the connection."),
    DURATION("stream_idle", IN(conf_limits, stream_idle_ms), 0, "300s", 100, DAY, "An exchange in which nothing moves."),
    DURATION("connection_idle", IN(conf_limits, connection_idle_ms), 0, "60s", 100, DAY, "A client connection between exchanges."),
    SIZE("stream_buffer", IN(conf_limits, stream_buffer), "64k", 4 * KIB, 16 * MIB, "Bytes buffered per exchange and direction."),
    INTEGER("streams", IN(conf_limits, streams), "100", 1, 10000, "HTTP/2 streams that one connection of a client may have open at once."),
    SIZE("body_digest", IN(conf_limits, body_digest), "16k", 0, 16 * MIB, "The largest body whose digest a proof covers; at most `stream_buffer`."),
    INTEGER("pool", IN(conf_limits, pool), "16", 1, 10000, "Upstream connections kept per host, identity and task."),
    DURATION("pool_idle", IN(conf_limits, pool_idle_ms), 0, "30s", 100, HOUR, "How long an unused one is kept."),
    INTEGER("sessions", IN(conf_limits, sessions), "128", 0, 100000, "TLS sessions of upstreams kept for a shorter handshake, per worker; 0: none."),
    INTEGER("leaves", IN(conf_limits, leaves), "1024", 1, 1000000, "Minted certificates kept for hosts that a grant names."),
    INTEGER("refusal_leaves", IN(conf_limits, refusal_leaves), "64", 1, 10000, "Minted certificates kept for hosts that are refused."),
    INTEGER("refusal_leaf_rate", IN(conf_limits, refusal_leaf_rate), "20", 1, 1000, "New ones of those a second, per caller."),
    DURATION("drain", IN(conf_limits, drain_ms), 0, "30s", 0, HOUR, "How long running exchanges may finish when Holdfast stops."),
    INTEGER("generations", IN(conf_limits, generations), "4", 2, 64, "Configs alive at once; past it the oldest is cut."),
    DURATION("worker_stuck", IN(conf_limits, worker_stuck_ms), 0, "5s", 2000, HOUR,
             "A worker whose loop has not turned for so long makes `/healthz` fail."),
    INTEGER("tasks", IN(conf_limits, tasks), "10000", 1, 1000000, "Tasks alive at once; past it none is started."),
    INTEGER("ledger_queue", IN(conf_limits, ledger_queue), "16384", 1, 1000000,
            "Records the ledger has accepted and not yet written; past it requests are refused."),
    SIZE("ledger_queue_bytes", IN(conf_limits, ledger_queue_bytes), "8m", 64 * KIB, KIB * MIB,
         "Their bytes; and again so many may be written and not yet on the disk, before records have to wait."),
    DURATION("ledger_wait", IN(conf_limits, ledger_wait_ms), 0, "5s", 10, HOUR,
             "How long a request waits for its record to be on the disk (`durable = \"decision\"`) before it is refused."),
    END
};

static const struct setting root[] = {
    GROUP("workload", IN(conf, workload), 0, workload, "The workload beside Holdfast."),
    STRING("user", IN(conf, user), 0,
           "The user Holdfast becomes after it has bound its doors. Required when it is started as root."),
    GROUP("ca", IN(conf, ca), 0, ca, "The CA that mints certificates for the workload's TLS."),
    GROUP("authority", IN(conf, authority), 0, authority, "The authority that signs workload identity tokens."),
    GROUP("resolver", IN(conf, resolver), 0, resolver, "How names are resolved."),
    GROUP("log", IN(conf, log), 0, logging, "Where the log goes."),
    GROUP("control", IN(conf, control), 0, control,
          "Where `status`, `reload`, `tail` and `drain` reach a running Holdfast; root and its own user alone are heard."),
    GROUP("ledger", IN(conf, ledger), 0, ledger,
          "The tamper-evident record of every decision. Required with a forward door."),
    INTEGER("workers", IN(conf, workers), "0", 0, 256, "Threads that serve; 0: one for each CPU given."),
    BOOL("watch", IN(conf, watch), "false",
         "Reload when the config's files change, or when the directory they are mounted from is swapped, without being told."),
    CHOICE("deny_detail", IN(conf, deny_detail), 0, "reason", details,
           "What a refused client is told: nothing, the reason, or also what to change (which tells it the policy)."),
    GROUPS("doors", IN(conf, doors), MUST, door, conf_door, "The listeners."),
    { .name = "credentials", .type = SETTING_NAMED_GROUPS, .offset = IN(conf, credentials), .inner = credential,
      .inner_size = sizeof(struct conf_credential), .sentence = "What Holdfast holds in the workload's stead, by name." },
    GROUPS("grants", IN(conf, grants), SETTING_ALLOW_EMPTY, grant, conf_grant,
           "Written permissions; nothing leaves without one."),
    GROUP("limits", IN(conf, limits), 0, limits, "Ceilings; over one of them a request is refused and others are unharmed."),
    END
};
/* clang-format on */

enum { ROOT_ROWS = sizeof root / sizeof *root };

static size_t
aligned(size_t n)
{
    return (n + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
}

struct tables
tables_new(struct arena *a, size_t head, const struct conf_filter_table *filters,
           size_t n)
{
    struct setting *rows = arena_alloc(a, (ROOT_ROWS + 1) * sizeof *rows);
    struct setting *inner = arena_alloc(a, (n + 1) * sizeof *inner), *row = inner;
    struct tables t = { rows, aligned(head), arena_alloc(a, n * sizeof *t.offsets) };
    size_t filters_at = t.size;

    t.size = aligned(t.size + sizeof(struct place));
    for (size_t i = 0; i < n; i++) {
        if (filters[i].settings == NULL)
            continue;
        assert(filters[i].size >= sizeof(struct place));
        t.offsets[i] = t.size;
        *row++ = (struct setting){ .name = filters[i].name,
                                   .type = SETTING_GROUP,
                                   .offset = t.size - filters_at,
                                   .inner = filters[i].settings,
                                   .sentence = "The keys of this filter." };
        t.size = aligned(t.size + filters[i].size);
    }
    memcpy(rows, root, sizeof root);
    rows[ROOT_ROWS - 1] = (struct setting){
        .name = "filters",
        .type = SETTING_GROUP,
        .offset = filters_at,
        .inner = inner,
        .sentence = "The filters' own keys.",
    };
    return t;
}
