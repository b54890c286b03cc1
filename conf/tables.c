/* The root of the config's keys, and the groups whose keys are few; grants, credentials
 * and doors have files of their own. The order here is the order of the reference and
 * of the printed defaults. */
#include "conf/tables.h"

#include "conf/rows.h"

#include <assert.h>
#include <stdalign.h>
#include <string.h>

const char *const conf_bind_words[] = { [BIND_HTTPSIG] = "httpsig",
                                        [BIND_DPOP] = "dpop",
                                        [BIND_WIMSE] = "wimse",
                                        [BIND_MTLS] = "mtls",
                                        [BIND_HEADER] = "header",
                                        [BIND_BEARER] = "bearer",
                                        NULL };
const char *const conf_source_words[] = { [SOURCE_AUTHORITY] = "authority",
                                          [SOURCE_FILE] = "file",
                                          [SOURCE_KEY] = "key",
                                          [SOURCE_CERTIFICATE] = "certificate",
                                          [SOURCE_OAUTH] = "oauth",
                                          [SOURCE_COMMAND] = "command",
                                          NULL };
const char *const rows_http[] = {
    [CONF_HTTP_AUTO] = "auto", [CONF_HTTP_1] = "1.1", [CONF_HTTP_2] = "2", NULL
};
const char *const rows_slashes[] = {
    [SLASHES_REFUSE] = "refuse", [SLASHES_PASS] = "pass", NULL
};

static const char *const durables[] = {
    [CONF_DURABLE_QUEUE] = "queue", [CONF_DURABLE_DECISION] = "decision", NULL
};
static const char *const details[] = {
    [DETAIL_NONE] = "none", [DETAIL_REASON] = "reason", [DETAIL_HINT] = "hint", NULL
};
/* As enum log_format and enum log_level count them. */
static const char *const log_formats[] = { "auto", "json", "short", NULL };
static const char *const log_levels[] = { "error", "warn", "info", "debug", NULL };

/* clang-format off */

static const struct setting workload[] = {
    STRING("id", IN(conf_workload, id), 0,
           "Who the workload is: a SPIFFE or WIMSE identifier inside the trust domain `authority.name`. Required with a way out: a forward, transparent or unix door."),
    INTEGER("uid", IN(conf_workload, uid), NULL, 0, 4294967294,
            "The uid the workload runs under; Holdfast refuses to start under the same one. Required with a way out on loopback."),
    STRING("pod", IN(conf_workload, pod), 0,
           "The uid of the pod or claim the workload runs in: the id of tasks of `task = \"pod\"`. Required with one, unless a file has it."),
    STRING("pod_file", IN(conf_workload, pod_file), 0,
           "Instead of `pod`: the file that holds it alone, as a downwardAPI volume shows `metadata.uid`. Followed as it changes; tasks of `task = \"pod\"` begin when it is there."),
    STRING("claim_file", IN(conf_workload, claim_file), 0,
           "Instead of `pod`, for pods that wait in a pool until somebody claims them: the file of the pod's labels, as a downwardAPI volume shows `metadata.labels`. Tasks of `task = \"pod\"` begin when `claim_label` stands in it, and end when it goes or changes."),
    STRING("claim_label", IN(conf_workload, claim_label), 0,
           "The label whose value is the claim's uid: `agents.x-k8s.io/claim-uid`, say. Required with `claim_file`."),
    END
};

static const struct setting ca[] = {
    STRING("keep", IN(conf_ca, keep), 0,
           "Directory of the CA's key: memory-backed, Holdfast's alone. A restart that finds the key there breaks no client. Required with a way out: a forward, transparent or unix door."),
    STRING("publish", IN(conf_ca, publish), 0,
           "Directory the workload can read: `ca.pem`, `bundle.pem` (the system's roots and ours) and `jwks.json` appear in it. Required with a way out: a forward, transparent or unix door."),
    DURATION("valid", IN(conf_ca, valid_ms), 0, "30d", HOUR, 3650 * DAY,
             "How long a new CA certificate is valid."),
    END
};

static const struct setting authority[] = {
    STRING("keep", IN(conf_authority, keep), 0,
           "Directory of the authority's signing key: Holdfast's alone. Required with a way out: a forward, transparent or unix door."),
    STRING("name", IN(conf_authority, name), 0,
           "The trust domain the authority issues identity tokens for. Required with a way out: a forward, transparent or unix door."),
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
           "Directory of the record of what was decided, on whose authority: Holdfast's alone, on a disk that outlives it. With a way out (a forward, transparent or unix door) either this or `off_because`."),
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
    INTEGER("dns_queries", IN(conf_limits, dns_queries), "200", 1, 100000, "Queries a second that a dns door takes from one caller; what is more goes unanswered."),
    INTEGER("dns_new_names", IN(conf_limits, dns_new_names), "60", 1, 100000,
            "Names below a wildcard rule, not asked for lately, that one caller may look up in a minute: a name is a way to tell somebody something."),
    INTEGER("dns_lookups", IN(conf_limits, dns_lookups), "256", 4, 10000, "Look-ups for dns doors under way, per worker; a quarter of them for one caller."),
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
          "The tamper-evident record of every decision. Required with a way out: a forward, transparent or unix door."),
    INTEGER("workers", IN(conf, workers), "0", 0, 256, "Threads that serve; 0: one for each CPU given."),
    BOOL("watch", IN(conf, watch), "false",
         "Reload when the config's files change, or when the directory they are mounted from is swapped, without being told."),
    CHOICE("deny_detail", IN(conf, deny_detail), 0, "reason", details,
           "What a refused client is told: nothing, the reason, or also what to change (which tells it the policy)."),
    GROUPS("doors", IN(conf, doors), MUST, rows_door, conf_door, "The listeners."),
    { .name = "credentials", .type = SETTING_NAMED_GROUPS, .offset = IN(conf, credentials), .inner = rows_credential,
      .inner_size = sizeof(struct conf_credential), .sentence = "What Holdfast holds in the workload's stead, by name." },
    GROUPS("grants", IN(conf, grants), SETTING_ALLOW_EMPTY, rows_grant, conf_grant,
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
