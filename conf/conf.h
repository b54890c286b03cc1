/* The config, frozen: what the operator wrote, checked and complete with its defaults.
 * Made by conf_load, never changed after, shared by reading. It knows no socket and no
 * filter; filters hand it their tables. */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/address.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/host.h"
#include "base/reason.h"
#include "conf/schema.h"

struct cidrs {
    const struct cidr *at;
    size_t n;
};

struct listen_at {
    struct address address;
    uint16_t port; /* 0: the kernel picks one */
};

struct conf_workload {
    struct place place;
    const char *id; /* a SPIFFE or WIMSE identifier (STANDARDS.md 3, 5); inside
                       authority.name's trust domain */
    int64_t uid; /* the workload's uid; -1 when not given (a workload on another machine
                    or namespace) */
    /* The pod's or claim's uid is the id of tasks of `task = "pod"`. It stands in one
     * of three places, or in none: */
    const char *pod;                      /* here, */
    const char *pod_file;                 /* alone in this file, */
    const char *claim_file, *claim_label; /* or in this file of labels */
};

struct conf_ca {
    struct place place;
    const char *keep;
    const char *publish;
    int64_t valid_ms;
};
struct conf_authority {
    struct place place;
    const char *keep;
    const char *name;
};
struct conf_log {
    struct place place;
    const char *path;
    int format;
    int level;
}; /* enum log_format, log_level */

struct conf_hosts_row {
    struct place place;
    const char *name;
    struct strings addresses;
};
struct conf_resolver {
    struct place place;
    struct strings
        servers; /* "10.96.0.10", "127.0.0.1:5353"; empty: /etc/resolv.conf */
    struct groups
        hosts; /* of struct conf_hosts_row: answers for tests and closed networks */
    int64_t timeout_ms; /* for one resolution, all tries together */
};

enum conf_door_kind {
    DOOR_FORWARD,     /* the workload's way out: a proxy that it knows of */
    DOOR_TRANSPARENT, /* … one that the kernel leads it to */
    DOOR_UNIX,        /* … one on a socket in the file system */
    DOOR_GATE,
    DOOR_DNS,
    DOOR_OPS
};

/* How the kernel turns connections round to a transparent door: by rewriting where they
 * go, which it remembers, or by giving them to us as they are. */
enum conf_intercept { INTERCEPT_REDIRECT, INTERCEPT_TPROXY };

/* Which HTTP an upstream is spoken to in. CONF_HTTP_AUTO: inside TLS both are offered;
 * in the clear it is 1.1. CONF_HTTP_2 alone also means prior knowledge in the clear. */
enum conf_http { CONF_HTTP_AUTO, CONF_HTTP_1, CONF_HTTP_2 };

/* Whether a proof must carry a nonce of ours. */
enum conf_nonce { NONCE_OFF, NONCE_DEMAND };

struct conf_trust {
    struct place place;
    const char *domain;
    const char *jwks_file; /* NULL only where nothing that the door accepts is signed by
                              that domain's authorities */
    struct strings subjects; /* identifiers; a trailing slash and star: any below */
    struct strings issuers;  /* accepted iss; empty: a token with an iss other than
                                spiffe://domain is refused */
};

/* How a gate asks an authorization server what a token is worth. */
struct conf_introspection {
    struct place place;
    const char *url;           /* https; NULL: nobody is asked */
    const char *client_id;     /* who asks … */
    const char *client_secret; /* … and the file of what proves it */
    int64_t cache_ms;          /* how long an answer holds */
};

/* Whose access tokens are believed, and by which keys: exactly one of jwks_file,
 * jwks_url and introspection. */
struct conf_issuer {
    struct place place;
    const char *issuer;   /* as its tokens' iss claim says it */
    const char *audience; /* what they must be for */
    const char *jwks_file;
    const char *jwks_url;
    const char *trust;       /* CA file for what is fetched; NULL: the system's roots */
    struct strings subjects; /* empty: any */
    struct conf_introspection introspection;
    struct strings algorithms; /* JOSE's words; never empty */
};

/* What a signature must cover and say before a gate believes it. */
struct conf_gate_signature {
    struct place place;
    struct strings components; /* that must be covered; empty: the profile's own */
    struct strings parameters; /* that must stand in it */
    int64_t max_age_ms;
    const char
        *jwks_file;  /* keys by their id; NULL: the trust's workloads alone sign */
    const char *tag; /* NULL: any, or the profile's own */
};

/* What the gate lets through to its service. No rule that fits: refused. */
struct conf_gate_rule {
    struct place place;
    struct strings methods;
    struct strings paths;
    struct strings subjects; /* of identifiers; "any": all that the trust allows */
    struct strings grants;   /* accepted values of the context claim, or "any" */
    struct strings purposes;
    struct strings scopes;   /* all must be in the token's; empty: none is asked for */
    struct strings bindings; /* words of conf_bind_words; empty: all the door accepts */
    int encoded_slashes;     /* enum conf_slashes */
    bool require_body_digest; /* the proof must cover the body */
    bool websocket;           /* its handshake passes, and what follows */
};

/* What a dns door says to a name that nobody may have. */
enum conf_refuse_with { REFUSE_WITH_REFUSED, REFUSE_WITH_NXDOMAIN };

struct conf_door {
    struct place place;
    int kind;         /* enum conf_door_kind */
    const char *name; /* what the log, the ledger and a `caller` call it; NULL: none */
    struct listen_at listen;
    /* unix */
    const char *path, *mode, *group;   /* mode: "0660", conf_door_mode reads it */
    enum conf_intercept intercept;     /* transparent */
    enum conf_refuse_with refuse_with; /* dns */
    bool http2;                        /* clients are offered h2 inside TLS */
    bool h2c; /* forward: HTTP/2 with prior knowledge is taken in the clear */
    /* gate */
    const char *certificate, *key; /* PEM files the gate shows its clients */
    struct strings names; /* its own origins, "https://orders.example": what a proof's
                             aud must begin with */
    const char *upstream; /* the service behind: "http://127.0.0.1:8080", "https://…" */
    const char *upstream_trust; /* CA file for an https upstream */
    enum conf_http upstream_http;
    struct strings accept;     /* of conf_bind_words: the proofs that are looked at */
    const char *clients_trust; /* CA file for clients' certificates; NULL: none is asked
                                  for */
    enum conf_nonce nonce;     /* of DPoP proofs */
    struct groups issuers;     /* of struct conf_issuer: whose access tokens count */
    struct conf_gate_signature signature;
    struct groups trust; /* of struct conf_trust */
    struct groups rules; /* of struct conf_gate_rule */
    bool keep_proof;
    int64_t replay_entries;
};

enum conf_source_kind {
    SOURCE_AUTHORITY,
    SOURCE_FILE,
    SOURCE_KEY,
    SOURCE_CERTIFICATE,
    SOURCE_OAUTH,
    SOURCE_COMMAND
};
extern const char *const conf_source_words[]; /* by index */

enum conf_grant_type {
    OAUTH_CLIENT_CREDENTIALS,
    OAUTH_REFRESH_TOKEN,
    OAUTH_JWT_BEARER,
    OAUTH_TOKEN_EXCHANGE
};

/* How the authorization server is shown who asks. */
enum conf_client_auth {
    CLIENT_PRIVATE_KEY_JWT,
    CLIENT_SECRET_BASIC,
    CLIENT_SECRET_POST,
    CLIENT_MTLS,
    CLIENT_JWT_SVID,
    CLIENT_NONE
};

/* Whether a token is asked for with what the grant allows (RFC 9396). */
enum conf_details { DETAILS_NONE, DETAILS_GRANT };

/* The keys of one kind stand together; those of the others are NULL, or their default,
 * and mean nothing. What is said to be a file is read by the vault. */
struct conf_source {
    struct place place;
    enum conf_source_kind kind;
    /* SOURCE_FILE: holds the secret, and one newline at most behind it; SOURCE_KEY: a
     * private key in PEM */
    const char *path;
    const char *key_id; /* SOURCE_KEY: NULL: its thumbprint (RFC 7638) */
    /* SOURCE_CERTIFICATE: files in PEM */
    const char *certificate; /* the chain, leaf first */
    const char *key;
    /* SOURCE_COMMAND */
    struct strings command; /* the program's absolute path, and its arguments */
    int64_t refresh_every_ms;
    /* SOURCE_OAUTH, and timeout_ms for SOURCE_COMMAND */
    int64_t timeout_ms;
    const char *token_endpoint; /* https */
    const char *issuer;         /* whom an assertion is for; NULL: token_endpoint */
    const char *trust;          /* CA file; NULL: the system's roots */
    enum conf_grant_type grant_type;
    const char *client_id; /* NULL: the request names none */
    enum conf_client_auth client_auth;
    const char *client_secret;      /* file */
    const char *client_key;         /* file: a private key in PEM */
    const char *client_key_id;      /* NULL: its thumbprint (RFC 7638) */
    const char *client_assertion;   /* file: a JWT-SVID */
    const char *client_certificate; /* the name of a credential of SOURCE_CERTIFICATE:
                                       shown where the client authenticates by it, and
                                       where a rule binds by mtls; NULL: none */
    const char *scope, *audience;
    struct strings resource;
    enum conf_details authorization_details;
    const char *authorization_details_type;
    const char *subject_token; /* file */
    const char *subject_token_type;
    const char *actor_token; /* file; NULL: none */
    const char *actor_token_type;
    const char *requested_token_type; /* NULL: the server's choice */
    const char *refresh_token;        /* file */
    const char *assertion;            /* file: what OAUTH_JWT_BEARER exchanges */
    const char *revocation_endpoint;  /* https; NULL: a token ends with its time */
};

/* What the workload holds in the credential's stead. At most one of shape and value. */
struct conf_handle {
    struct place place;
    const char *shape; /* "ghp_{36}": 36 random letters and digits in the braces' place;
                          NULL: "hf_{32}" */
    const char *value; /* fixed by the operator, for environments written beforehand */
    const char *env;   /* its variable in handles.env; NULL: HOLDFAST_ and the
                          credential's name in capitals */
};

struct conf_credential {
    struct place place;
    const char *name; /* the group's name */
    const char *owner, *approved_by, *ticket, *privileges;
    int64_t rotate_every_ms;
    struct conf_source source;
    struct conf_handle handle; /* of a source that yields a secret */
    const char *header;        /* bind = ["header"]: the field it is presented in */
    const char *prefix;        /* … and what stands before it there; NULL: nothing */
};

/* Who may use a grant: whoever has all that is written. */
struct conf_caller {
    struct place place;
    bool any, has_gid;
    int64_t uid;                          /* -1: not asked for */
    int64_t gid;                          /* has_gid: it is asked for */
    const char *cgroup, *container, *pod; /* NULL: not asked for */
    const char *door;                     /* a door's name; likewise … */
    size_t door_at;                       /* … and its place among them, from 1 */
};

enum conf_scheme { SCHEME_HTTPS, SCHEME_HTTP };
enum conf_inject { INJECT_ON_HANDLE, INJECT_ALWAYS };
enum conf_pass { CONF_STRIP, CONF_PASS };
enum conf_slashes { SLASHES_REFUSE, SLASHES_PASS };
/* The index in conf_bind_words: the strongest first. */
enum conf_bind {
    BIND_HTTPSIG,
    BIND_DPOP,
    BIND_WIMSE,
    BIND_MTLS,
    BIND_HEADER,
    BIND_BEARER
};
extern const char *const conf_bind_words[];

enum conf_profile { PROFILE_AUTO, PROFILE_WIMSE, PROFILE_PLAIN };
enum conf_response { RESPONSE_IGNORE, RESPONSE_VERIFY };

/* How a request is signed where a rule binds by httpsig (RFC 9421). */
struct conf_signature {
    struct place place;
    enum conf_profile profile; /* as conf_profile tells it */
    struct strings components; /* as written in the config; empty: the profile's own */
    int64_t expires_ms;
    bool nonce, created, alg; /* whether the parameter is sent */
    const char *tag;          /* NULL: none, or the profile's own */
    const char *label;
    const char *audience;           /* wimse-aud; NULL: the target's origin */
    enum conf_response response;    /* what becomes of its answer's signature */
    const char *response_jwks_file; /* plain: whose keys sign it */
    struct groups response_trust;   /* wimse: of struct conf_trust */
};

struct conf_rule {
    struct place place;
    const char *host; /* "a.example", "*.a.example" */
    int64_t port;     /* 0: the scheme's own */
    int scheme;       /* enum conf_scheme */
    enum conf_http http;
    bool opaque; /* TLS passes unopened; what cannot be judged then is empty */
    struct strings methods;
    struct strings paths;
    const char *credential; /* NULL: none */
    struct strings bind;    /* words of conf_bind_words, the strongest first */
    const struct conf_signature *signature; /* never NULL in a loaded config; rules that
                                               write none share one */
    const char *unbound_because; /* why a secret may be presented unbound: `bearer`,
                                    `header` */
    int inject;                  /* enum conf_inject */
    int cookies;                 /* enum conf_pass */
    enum conf_pass own_proof;    /* the workload's own DPoP, and the token beside it */
    int encoded_slashes;         /* enum conf_slashes */
    int signed_urls;             /* enum conf_pass */
    bool websocket;              /* its handshake passes, and what follows */
    struct cidrs addresses;      /* private or special addresses this rule may reach */
    const char *upstream_trust;  /* CA file; NULL: the system's roots */
    struct strings purposes; /* of the grant's, for which this rule is; empty: all */
};

/* Who begins a task: Holdfast at first need, an orchestrator, or Holdfast for the life
 * of its pod. */
enum conf_task { TASK_STANDING, TASK_REQUIRED, TASK_POD };

struct conf_grant {
    struct place place;
    const char *name, *owner, *approved_by, *ticket;
    int64_t approved_at, expires_at;
    struct strings purposes;
    int task; /* enum conf_task */
    int64_t ttl_ms;
    int64_t drain_ms; /* how long exchanges may run on when their task has ended */
    struct conf_caller caller;
    struct groups rules; /* of struct conf_rule */
};

/* The control socket: status, reload, tail, drain. Root and Holdfast's own uid alone.
 */
struct conf_control {
    struct place place;
    const char *socket; /* its path; NULL: none */
};

enum conf_durable { CONF_DURABLE_QUEUE, CONF_DURABLE_DECISION };

/* A place elsewhere that is sent the ledger's checkpoints, so that who can change our
 * disk cannot change what was signed. */
struct conf_witness {
    struct place place;
    const char *url;    /* https (base/url.h); NULL: there is none */
    const char *trust;  /* CA file; NULL: the system's roots */
    int64_t timeout_ms; /* for one request, all of it */
};

/* What is decided is written down here, or it is said why not: exactly one of keep and
 * off_because beside a way out. */
struct conf_ledger {
    struct place place;
    const char *keep; /* a directory, ours alone; NULL: no ledger */
    const char *off_because;
    int durable; /* enum conf_durable: what a request waits for */
    int64_t segment_bytes;
    struct conf_witness witness;
};

struct conf_limits {
    struct place place;
    int64_t connections, handshakes;
    int64_t head_bytes, fields, target_bytes;
    int64_t head_timeout_ms, handshake_timeout_ms, connect_timeout_ms;
    int64_t stream_idle_ms, connection_idle_ms;
    int64_t stream_buffer, body_digest;
    int64_t streams;
    int64_t pool, pool_idle_ms, sessions, leaves, refusal_leaves, refusal_leaf_rate;
    int64_t dns_queries, dns_new_names, dns_lookups;
    int64_t drain_ms, generations, worker_stuck_ms;
    int64_t tasks, ledger_queue, ledger_queue_bytes, ledger_wait_ms;
};

enum conf_detail { DETAIL_NONE, DETAIL_REASON, DETAIL_HINT };

struct conf {
    struct place place;
    struct conf_workload workload;
    const char *user; /* NULL: stay who we are (only when not started as root) */
    struct conf_ca ca;
    struct conf_authority authority;
    struct conf_resolver resolver;
    struct conf_log log;
    struct conf_control control;
    struct conf_ledger ledger;
    int64_t workers;     /* 0: one for each CPU given to us */
    bool watch;          /* reload when the config's files change, without being told */
    int deny_detail;     /* enum conf_detail */
    struct groups doors; /* of struct conf_door */
    struct groups credentials;              /* of struct conf_credential */
    const struct conf_credential **by_name; /* the same in order; NULL: as they stand */
    struct groups grants;                   /* of struct conf_grant */
    struct conf_limits limits;
    const char *path;                  /* the main file */
    unsigned char digest[SHA256_SIZE]; /* of its bytes, then those of conf.d's files */
    struct conf_blob {
        const char *filter;
        const void *settings;
    } * filters;
    size_t n_filters;
};

/* A filter's own keys, under filters = { name = { … } }. */
struct conf_filter_table {
    const char *name;
    const struct setting *settings; /* NULL: the filter has no keys */
    size_t size; /* of the struct they fill; its first field is a struct place */
};

/* Reads the file and, beside it, every .conf file of conf.d in sorted order. On success
 * *out is the caller's to free, and `report` holds at most warnings; on REASON_CONFIG
 * `report` holds every error at once, a line each: "file:line: path.to.key: message".
 */
MUST_USE enum reason conf_load(const char *path,
                               const struct conf_filter_table *filters,
                               size_t n_filters, struct buf *report, struct conf **out);
/* The same. digest: of the bytes that were read, whether they are any good or not. */
MUST_USE enum reason conf_load_bytes(const char *path,
                                     const struct conf_filter_table *filters,
                                     size_t n_filters, struct buf *report,
                                     unsigned char digest[SHA256_SIZE],
                                     struct conf **out);
void conf_free(struct conf *c);

/* The settings struct of a filter, filled; NULL for a filter without a table. */
const void *conf_filter(const struct conf *c, const char *filter);

const struct conf_credential *conf_credential(const struct conf *c, const char *name);
/* The source yields a secret that a handle can stand for. */
bool conf_has_handle(const struct conf_credential *c);
/* Whether it can be presented so, as its source is. */
bool conf_can_bind(const struct conf_credential *c, enum conf_bind bind);
/* PROFILE_WIMSE or PROFILE_PLAIN: how this credential signs under that rule. */
enum conf_profile conf_profile(const struct conf_rule *r,
                               const struct conf_credential *c);
/* The credential whose certificate is shown for an oauth source; NULL: none. */
const struct conf_credential *
conf_client_certificate(const struct conf *c, const struct conf_credential *oauth);
/* Is this word of conf_bind_words among them? */
bool conf_names_bind(const struct strings *words, enum conf_bind bind);
bool conf_is_loopback(const struct address *a);
bool conf_has_door(const struct conf *c, enum conf_door_kind kind);
/* A workload's way out: forward, transparent or unix. */
bool conf_door_is_egress(const struct conf_door *door);
/* … where it says itself where to, by CONNECT or an absolute target. */
bool conf_door_takes_connect(const struct conf_door *door);
bool conf_has_egress(const struct conf *c);
/* Who the pod is, or whose, is read from a file: tasks of `task = "pod"` wait for it.
 */
bool conf_awaits_pod(const struct conf_workload *w);
/* The mode of a unix door's socket. */
unsigned conf_door_mode(const struct conf_door *door);
/* The place of the door of this name, from 1; 0: there is none. */
size_t conf_door_named(const struct conf *c, const char *name);

/* Where a config's control socket is, and who holds it: from a file that may have
 * errors elsewhere, or files beside it that are no config at all. Both are the caller's
 * to free, NULL where the config has none. REASON_CONFIG, and what is wrong in
 * `report`: it was not found, and there is a file that cannot be read as one. */
MUST_USE enum reason conf_find_control(const char *path, struct buf *report,
                                       char **socket, char **user);

/* Questionable but legal: what `check --lint` reports (DESIGN.md section 5). */
struct findings;
void conf_lint(const struct conf *c, int64_t now_s, struct findings *out);

/* Every key with its default, as a config that could be loaded; and the reference in
 * Markdown. */
void conf_print_defaults(const struct conf_filter_table *filters, size_t n_filters,
                         struct buf *out);
void conf_print_reference(const struct conf_filter_table *filters, size_t n_filters,
                          struct buf *out);

#endif
