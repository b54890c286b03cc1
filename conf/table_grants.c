/* The keys of a grant and of its rules. */
#include "conf/rows.h"

static const char *const tasks[] = {
    [TASK_STANDING] = "standing", [TASK_REQUIRED] = "required", [TASK_POD] = "pod", NULL
};
static const char *const schemes[] = {
    [SCHEME_HTTPS] = "https", [SCHEME_HTTP] = "http", NULL
};
static const char *const injects[] = {
    [INJECT_ON_HANDLE] = "on_handle", [INJECT_ALWAYS] = "always", NULL
};
static const char *const passes[] = {
    [CONF_STRIP] = "strip", [CONF_PASS] = "pass", NULL
};
static const char *const profiles[] = {
    [PROFILE_AUTO] = "auto", [PROFILE_WIMSE] = "wimse", [PROFILE_PLAIN] = "plain", NULL
};
static const char *const responses[] = {
    [RESPONSE_IGNORE] = "ignore", [RESPONSE_VERIFY] = "verify", NULL
};

/* clang-format off */
static const struct setting caller[] = {
    INTEGER("uid", IN(conf_caller, uid), NULL, 0, 4294967294,
            "The uid of the calling process, as the kernel tells it."),
    INTEGER("gid", IN(conf_caller, gid), NULL, 0, 4294967294,
            "Its primary gid: known at unix doors alone."),
    STRING("cgroup", IN(conf_caller, cgroup), 0,
           "The control group (version 2) it runs in, or one above that, as a path from the root of what Holdfast sees: `\"/system.slice/agent.service\"`."),
    STRING("container", IN(conf_caller, container), 0,
           "The id of its container, 64 hexadecimal digits, by the name of its control group."),
    STRING("pod", IN(conf_caller, pod), 0,
           "The uid of its pod, likewise."),
    STRING("door", IN(conf_caller, door), 0,
           "The `name` of the door it came in by. At a unix door, whose path nobody else can reach, that is an identity."),
    END
};

static const struct setting signature[] = {
    CHOICE("profile", IN(conf_signature, profile), 0, "auto", profiles,
           "`wimse`: with the task's identity token and key, as gates and WIMSE peers read it. `plain`: with the credential's own key. `auto`: as its source is, the authority or a key."),
    STRINGS("components", IN(conf_signature, components), 0,
            "What is covered. Without it: `@method`, `@target-uri`, `content-digest` and `authorization`, the last two where there are any; or what the WIMSE profile demands, which cannot be less."),
    DURATION("expires", IN(conf_signature, expires_ms), 0, "60s", SECOND, 5 * MINUTE,
             "How long the signature holds."),
    BOOL("nonce", IN(conf_signature, nonce), "true", "A random `nonce` in each, so that a verifier knows it again."),
    BOOL("created", IN(conf_signature, created), "true", "When it was made, `created`."),
    BOOL("alg", IN(conf_signature, alg), "false", "The name of the algorithm, `alg`, for verifiers that want to read it there."),
    STRING("tag", IN(conf_signature, tag), 0,
           "What it is for, as its verifier calls it: `\"web-bot-auth\"`. The WIMSE profile has its own."),
    STRING_NORMALLY("label", IN(conf_signature, label), "sig1",
           "Its name in the two fields, which says nothing. In the WIMSE profile it is `wimse`."),
    STRING("audience", IN(conf_signature, audience), 0,
           "Whom a signature of the WIMSE profile is for; without it the target's origin."),
    CHOICE("response", IN(conf_signature, response), 0, "ignore", responses,
           "`verify`: an answer without a good signature, over it and this request, is refused."),
    STRING("response_jwks_file", IN(conf_signature, response_jwks_file), 0,
           "Whose keys sign the answers to a `plain` request, by `keyid`: file of a JWK Set. Required with `response = \"verify\"` there."),
    GROUPS("response_trust", IN(conf_signature, response_trust), 0, rows_trust, conf_trust,
           "Whose workloads sign the answers to a `wimse` request. Required with `response = \"verify\"` there."),
    END
};

static const struct setting rule[] = {
    STRING("host", IN(conf_rule, host), MUST,
           "A host name, an address (IPv6 in brackets), or `*.` and a name: one or more labels below it, not the name itself."),
    INTEGER("port", IN(conf_rule, port), NULL, 1, 65535,
            "The port; without it the scheme's own (443 or 80)."),
    CHOICE("scheme", IN(conf_rule, scheme), 0, "https", schemes,
           "`http` never carries a credential."),
    CHOICE("http", IN(conf_rule, http), 0, "auto", rows_http,
           "Which HTTP the host is spoken to in. `auto`: inside TLS the host chooses, in the clear it is 1.1. `2`: nothing else, in the clear with prior knowledge; for gRPC there."),
    BOOL("opaque", IN(conf_rule, opaque), "false",
         "TLS to this host is passed on unopened, for clients that take no certificate but the host's own. Caller, task, server name, port and address are judged, and nothing else can be: no method, no path, nothing is stripped or presented. Beside it stand `host`, `port`, `addresses` and `purposes` alone."),
    STRINGS_OR_ANY_UNLESS("opaque", "methods", IN(conf_rule, methods), "Methods that are allowed. None in an `opaque` rule."),
    STRINGS_OR_ANY_UNLESS("opaque", "paths", IN(conf_rule, paths),
                   "Paths that are allowed: `*` is one whole segment, `**` at the end any tail. None in an `opaque` rule."),
    STRING("credential", IN(conf_rule, credential), 0,
           "The name of the credential that is presented; with it `bind` must be written."),
    STRINGS("bind", IN(conf_rule, bind), 0,
            "How it is presented, the strongest first; the first that the credential can do is taken, whatever the service says. `httpsig` (of `authority` or `key`): the request is signed (RFC 9421). `dpop` (of `oauth`): a token and a proof made for this one request (RFC 9449). `wimse` (of `authority`): likewise, for gates and WIMSE peers. `mtls` (of `certificate`, or of `oauth` with `client_certificate`): a client certificate, and a token bound to it. `header` (the credential's `header`; of `file` or `command`) and `bearer` (`Authorization: Bearer`; of `file`, `command` or `oauth`): the secret itself, which whoever has a copy can use."),
    GROUP_APART("signature", IN(conf_rule, signature), signature, conf_signature,
          "What `httpsig` signs and says. Only with it in `bind`."),
    STRING("unbound_because", IN(conf_rule, unbound_because), 0,
           "Why a secret may leave unbound, for the log and for `check --lint`. Required with `bearer` and `header`, an error with anything else."),
    CHOICE("inject", IN(conf_rule, inject), 0, "on_handle", injects,
           "When it is presented: where the workload shows its handle, or `always`. `authority`, `key` and `certificate` have no handle: write `always` there."),
    CHOICE("cookies", IN(conf_rule, cookies), 0, "strip", passes,
           "What happens to the workload's own cookies."),
    CHOICE("own_proof", IN(conf_rule, own_proof), 0, "strip", passes,
           "What happens to a DPoP proof of the workload's own, and the token beside it. `pass`: both go on, of a workload that keeps a key of its own; only in a rule without credential."),
    CHOICE("encoded_slashes", IN(conf_rule, encoded_slashes), 0, "refuse", rows_slashes,
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

const struct setting rows_grant[] = {
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
           "`required`: an orchestrator starts each task and ends it. `pod`: begun with Holdfast, or when the file of `workload` says whose pod it is, under that id, and ended with it. `standing`: begun at first need, renewed by `ttl`."),
    DURATION("ttl", IN(conf_grant, ttl_ms), MUST, NULL, 10 * SECOND, 30 * DAY,
             "How long one task lives, with its keys and tokens."),
    DURATION("drain", IN(conf_grant, drain_ms), 0, "0s", 0, HOUR,
             "How long running exchanges of a task that has ended may finish; `0s` cuts them at once."),
    { .name = "caller", .type = SETTING_CALLER, .offset = IN(conf_grant, caller), .flags = MUST,
      .inner = caller, .inner_size = sizeof(struct conf_caller),
      .sentence = "Which processes may use it: those with all that is written. What cannot be established does not match." },
    GROUPS("rules", IN(conf_grant, rules), MUST, rule, conf_rule, "What it allows."),
    END
};
/* clang-format on */
