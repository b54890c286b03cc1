/* A filter: one judgement on a request, in one file. It sees values only: no socket, no
 * loop, no clock but the view's. */
#ifndef FILTERS_FILTER_H
#define FILTERS_FILTER_H

#include "base/arena.h"
#include "base/host.h"
#include "base/reason.h"
#include "certs/client_identity.h"
#include "conf/conf.h"
#include "http/message.h"
#include "tasks/caller.h"
#include "tasks/grant.h"
#include "tasks/handle.h"
#include "tasks/roll.h"
#include "tasks/task.h"
#include "tokens/binding.h"
#include "tokens/jwks.h"
#include "tokens/vault.h"

enum answer { DENY, PASS }; /* a zeroed verdict refuses */
struct verdict {
    enum answer answer;
    enum reason reason;
};

static inline struct verdict
pass(void)
{
    return (struct verdict){ PASS, REASON_OK };
}

static inline struct verdict
deny(enum reason why)
{
    return (struct verdict){ DENY, why };
}

/* What was noted about an exchange, for its log line. */
struct note {
    struct note *next;
    struct text text;
};

/* What a client's certificate says that TLS has verified at a gate. */
struct client_certificate {
    enum client_name kind; /* CLIENT_NAME_NONE: it names nobody, or there is none */
    struct text name;      /* a URI as it stands there, or a DNS name in lower case */
    struct text
        thumbprint; /* x5t#S256, what tokens are bound to; empty: there is none */
};

/* One exchange, as filters see it. */
struct view {
    struct arena *arena;
    const struct conf *conf;
    int64_t now_s;
    int64_t now_ms; /* monotonic */
    bool tunnelled; /* inside a CONNECT, which has proved what it had to, or where
                       nobody means to speak to a proxy */
    bool opaque;    /* TLS that passes unopened: there is no request to be seen */

    const struct caller *caller;
    const struct conf_door *door;
    struct client_certificate client; /* gate */
    struct authority
        target; /* judged name and port: CONNECT, SNI and Host agreed on it */
    struct text scheme;
    bool verified_tls;       /* the upstream leg is verified TLS (present demands it) */
    struct request *request; /* to edit */
    struct text path, query; /* canonical; what will be sent and signed */
    bool body_known;
    struct text body;

    /* judged */
    const struct conf_grant *grant;
    const struct conf_rule *rule;
    const struct conf_gate_rule *gate_rule;
    struct place rule_place;          /* file NULL: no rule came near */
    const struct conf_grant *nearest; /* of a request that no rule allows; NULL: none */
    enum reason
        policy; /* forward: why no rule allows this; REASON_OK when `rule` does */
    const struct handles *handles;  /* all of ours */
    const struct handle *handle;    /* the caller's own, found in the request */
    const struct vault *vault;      /* secrets, as they are now */
    const struct task *handle_task; /* the required task whose handle was found */
    const char *handle_credential;  /* what the handle found stands for */
    struct roll *roll;              /* the tasks that live; NULL: not asked */
    struct task *proven; /* the client has this one's password; on loan from the roll */
    struct entry *entry; /* the task that the request is of; the exchange holds it */
    struct text task;    /* its id; a standing one's is that which signed */
    const struct jwks *issuer_keys; /* gate: of a token's issuer, on loan; or … */
    struct text issuer_says;        /* … what it says of the token */
    struct facts facts;             /* gate: what was proved, … */
    struct text challenge; /* … what else it should be, for WWW-Authenticate; and … */
    struct text offered_nonce; /* … what the next proof is to hold; empty: nothing */

    /* what there is to present with, as far as the rule's credential wants it; on loan
     * from the exchange */
    const struct token *token;  /* NULL: none */
    struct dpop_signer *dpop;   /* of the token's key; NULL: none */
    struct text connection_x5t; /* of the certificate that the connection showed */

    /* for the log */
    struct headers
        removed; /* originals of what strip took, for filters that must read them;
                    query parameters under "?name", a name no field can have */
    struct text *stripped; /* names only */
    size_t n_stripped, stripped_room;
    struct evidence evidence;
    const char *alarmed;    /* the credential whose handle was in the wrong hands, or
                               the field that said a wrong password */
    struct text prohibited; /* the address that guard refused, and what it is */
    struct text thumbprint;
    struct note *notes; /* newest first */

    bool presented;      /* by an attempt before this one, … */
    size_t presented_at; /* … behind this many fields of request->headers */
};

/* What a proof of this request covers. */
static inline struct presented
view_presented(const struct view *v)
{
    return (struct presented){ .authority = v->target,
                               .scheme = v->scheme,
                               .method = v->request->method,
                               .path = v->path,
                               .query = v->query,
                               .body_known = v->body_known,
                               .body = v->body };
}

struct filter {
    const char *name; /* as written in the config and the log */
    const struct setting
        *settings; /* its own keys: conf checks and documents them; may be NULL */
    size_t settings_size;
    /* Once per generation; settings is the filled struct. Errors go to `report` as
     * "file:line: key: message". NULL, as close then is: there is no state. */
    enum reason (*open)(const struct conf *conf, const void *settings,
                        struct buf *report, void **state);
    struct verdict (*on_request)(void *state, struct view *v);
    /* What stands behind the request's body, to edit before it is sent; may be NULL. */
    struct verdict (*on_trailers)(void *state, struct view *v,
                                  struct headers *trailers);
    void (*close)(void *state);
};

/* A note for the log at debug level and for `explain`: never a value, only names. */
void note(struct view *v, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void note_stripped(struct view *v, struct text name);

#endif
