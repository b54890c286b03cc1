/* A gate: the proofs it looks at, what each of them has to be verified by, whom it
 * trusts, and rules that can be met. */
#include "conf/check.h"

#include "conf/pattern.h"
#include "conf/suggest.h"

#include <string.h>

static const char *
https_origin_error(struct arena *a, const char *z)
{
    return pattern_origin_error(a, z, false);
}

static const char *
identity_error(struct arena *a, const char *z)
{
    (void)a;
    return pattern_identity_error(z, true);
}

static bool
accepts(const struct conf_door *door, enum conf_bind bind)
{
    return conf_names_bind(&door->accept, bind);
}

/* ---- trust */

/* A domain may stand in several entries: each sidecar's key then speaks for its own
 * subjects alone. */
void
check_trust(const struct check *k, const struct conf_trust *t, bool needs_keys)
{
    if (needs_keys && !check_has_key(k, t, "jwks_file"))
        check_complain(
            k, t, "jwks_file",
            "is missing: write jwks_file = \"/etc/holdfast/prod.jwks.json\";");
    if (t->domain == NULL)
        return;
    check_value(k, t, "domain", t->domain, pattern_domain_error(t->domain));
    check_each(k, t, "subjects", &t->subjects, identity_error);
    for (size_t i = 0; i < t->subjects.n; i++)
        if (pattern_identity_error(t->subjects.at[i], true) == NULL &&
            !text_equals(pattern_identity_domain(t->subjects.at[i]), text_z(t->domain)))
            check_complain_element(
                k, t, "subjects", t->subjects.at[i],
                "is of another trust domain: trust it by an entry of its own");
}

/* ---- what is accepted, and by what it is verified */

static const enum conf_bind proofs[] = { BIND_HTTPSIG, BIND_DPOP, BIND_WIMSE,
                                         BIND_MTLS };
enum { PROOFS = sizeof proofs / sizeof *proofs };

static const char *
accept_error(struct arena *a, const char *z)
{
    struct suggestion near = { 0 };

    for (size_t i = 0; i < PROOFS; i++) {
        if (strcmp(z, conf_bind_words[proofs[i]]) == 0)
            return NULL;
        suggest(&near, z, conf_bind_words[proofs[i]]);
    }
    if (near.word != NULL)
        return arena_copy_z(
            a, arena_printf(a, "is no proof, did you mean \"%s\"?", near.word));
    return "proves nothing: write \"httpsig\", \"dpop\", \"wimse\" or \"mtls\"";
}

/* The keys of the trusted domains verify something. */
static bool
is_signed_by_domains(const struct conf_door *door)
{
    return accepts(door, BIND_WIMSE) || accepts(door, BIND_HTTPSIG);
}

static bool
needs_trust(const struct conf_door *door)
{
    return accepts(door, BIND_WIMSE) ||
           (accepts(door, BIND_HTTPSIG) && door->signature.jwks_file == NULL);
}

/* Both ways: what is accepted can be verified, and what is said is of use. */
static void
check_means(const struct check *k, const struct conf_door *door)
{
    const struct {
        const char *key, *words, *sample;
        bool needed, useful;
    } means[] = {
        { "clients_trust", "mtls", "clients_trust = \"/etc/holdfast/clients.pem\";",
          accepts(door, BIND_MTLS), accepts(door, BIND_MTLS) },
        { "issuers", "dpop",
          "issuers = ( { issuer = \"https://idp.example\"; jwks_url = "
          "\"https://idp.example/jwks\"; audience = \"https://orders.example\"; } );",
          accepts(door, BIND_DPOP),
          accepts(door, BIND_DPOP) || accepts(door, BIND_MTLS) },
        { "trust", "wimse", "trust = ( { ... } );", needs_trust(door),
          is_signed_by_domains(door) || accepts(door, BIND_MTLS) },
        { "signature", "httpsig", NULL, false, accepts(door, BIND_HTTPSIG) },
        { "nonce", "dpop", NULL, false, accepts(door, BIND_DPOP) },
    };

    for (size_t i = 0; i < sizeof means / sizeof *means; i++) {
        bool written = check_has_key(k, door, means[i].key);

        if (means[i].needed && !written)
            check_complain(k, door, means[i].key,
                           "is missing, and what the gate accepts is verified by it: "
                           "write %s",
                           means[i].sample);
        if (written && !means[i].useful)
            check_complain(
                k, door, means[i].key,
                "verifies nothing that the gate accepts: remove it, or write "
                "\"%s\" in accept",
                means[i].words);
    }
}

/* ---- signatures */

static const char *
parameter_error(struct arena *a, const char *z)
{
    static const char *const known[] = { "created", "expires", "nonce",
                                         "keyid",   "alg",     "tag" };
    struct suggestion near = { 0 };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(z, known[i]) == 0)
            return NULL;
        suggest(&near, z, known[i]);
    }
    if (near.word != NULL)
        return arena_copy_z(
            a, arena_printf(a, "is no parameter, did you mean \"%s\"?", near.word));
    return "is no parameter: write \"created\", \"expires\", \"nonce\", \"keyid\", "
           "\"alg\" or \"tag\"";
}

static bool
has_word(const struct strings *s, const char *word)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->at[i], word) == 0)
            return true;
    return false;
}

/* Where only workloads sign, it is by the WIMSE profile. */
static void
check_wimse_alone(const struct check *k, const struct conf_gate_signature *s)
{
    static const char *const never[] = { "keyid", "alg" };

    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        if (has_word(&s->parameters, never[i]))
            check_complain_element(k, s, "parameters", never[i],
                                   "is never in a signature of the WIMSE profile: "
                                   "remove it, or write jwks_file for others");
    if (check_has_key(k, s, "tag"))
        check_complain(k, s, "tag",
                       "is laid down by the WIMSE profile: remove it, or write "
                       "jwks_file for others");
}

static void
check_gate_signature(const struct check *k, const struct conf_gate_signature *s)
{
    check_each(k, s, "components", &s->components, pattern_component_error);
    check_no_repeats(k, s, "components", &s->components);
    check_each(k, s, "parameters", &s->parameters, parameter_error);
    check_no_repeats(k, s, "parameters", &s->parameters);
    if (s->parameters.n > 0 && !has_word(&s->parameters, "created"))
        check_complain(k, s, "parameters",
                       "leaves \"created\" out, and with it how old a signature is: "
                       "add it");
    if (s->jwks_file != NULL)
        check_value(k, s, "jwks_file", s->jwks_file, pattern_file_error(s->jwks_file));
    if (s->tag != NULL)
        check_value(k, s, "tag", s->tag, pattern_tag_error(s->tag));
    if (!check_has_key(k, s, "jwks_file"))
        check_wimse_alone(k, s);
}

/* ---- rules */

/* Workloads have identifiers; who else comes in has whatever name its token, its
 * certificate or its key gives it. */
static bool
has_other_names(const struct conf_door *door)
{
    return accepts(door, BIND_DPOP) || accepts(door, BIND_MTLS) ||
           door->signature.jwks_file != NULL;
}

static const char *
subject_error(struct arena *a, const char *z)
{
    if (strncmp(z, "spiffe://", 9) == 0 || strncmp(z, "wimse://", 8) == 0)
        return identity_error(a, z);
    return pattern_visible_error(z);
}

static const char *
scope_error(struct arena *a, const char *z)
{
    (void)a;
    return strchr(z, ' ') != NULL ? "is more than one scope: write each on its own"
                                  : pattern_scopes_error(z);
}

static void
check_rule_bindings(const struct check *k, const struct conf_door *door,
                    const struct conf_gate_rule *r)
{
    const struct strings *taken = r->bindings.n > 0 ? &r->bindings : &door->accept;

    check_no_repeats(k, r, "bindings", &r->bindings);
    for (size_t i = 0; i < r->bindings.n; i++)
        if (accept_error(k->fill->scratch, r->bindings.at[i]) != NULL)
            check_complain_element(k, r, "bindings", r->bindings.at[i],
                                   accept_error(k->fill->scratch, r->bindings.at[i]));
        else if (!has_word(&door->accept, r->bindings.at[i]))
            check_complain_element(k, r, "bindings", r->bindings.at[i],
                                   "is not looked at by this door: add it to its "
                                   "accept, or remove it");
    if (r->require_body_digest && taken->n > 0 && !conf_names_bind(taken, BIND_WIMSE) &&
        !conf_names_bind(taken, BIND_HTTPSIG))
        check_complain(k, r, "require_body_digest",
                       "nothing that is taken here covers a body: take \"wimse\" or "
                       "\"httpsig\", or remove this");
}

static void
check_gate_rule(const struct check *k, const struct conf_door *door,
                const struct conf_gate_rule *r)
{
    check_each(k, r, "methods", &r->methods, pattern_method_error);
    check_websocket(k, r, r->websocket, &r->methods);
    check_each(k, r, "paths", &r->paths, pattern_path_error);
    check_each(k, r, "subjects", &r->subjects,
               has_other_names(door) ? subject_error : identity_error);
    check_each(k, r, "scopes", &r->scopes, scope_error);
    if (check_has_key(k, r, "scopes") && !check_has_key(k, door, "issuers"))
        check_complain(k, r, "scopes",
                       "are an access token's, and the gate takes none: write issuers "
                       "at the door, or remove this");
    check_rule_bindings(k, door, r);
}

/* ---- the gate */

static void
check_upstream(const struct check *k, const struct conf_door *door)
{
    if (door->upstream == NULL)
        return;
    check_value(k, door, "upstream", door->upstream,
                pattern_origin_error(k->fill->scratch, door->upstream, true));
    if (door->upstream_trust != NULL && strncmp(door->upstream, "http://", 7) == 0)
        check_complain(k, door, "upstream_trust",
                       "the upstream is plain http: remove this, or write https://");
}

void
check_gate(const struct check *k, const struct conf_door *door)
{
    const struct conf_trust *trust = door->trust.at;
    const struct conf_gate_rule *rules = door->rules.at;

    check_each(k, door, "names", &door->names, https_origin_error);
    check_upstream(k, door);
    check_each(k, door, "accept", &door->accept, accept_error);
    check_no_repeats(k, door, "accept", &door->accept);
    if (door->accept.n > 0)
        check_means(k, door);
    if (door->clients_trust != NULL)
        check_value(k, door, "clients_trust", door->clients_trust,
                    pattern_file_error(door->clients_trust));
    if (check_has_key(k, door, "signature"))
        check_gate_signature(k, &door->signature);
    check_issuers(k, door);
    for (size_t i = 0; i < door->trust.n; i++)
        check_trust(k, &trust[i], is_signed_by_domains(door));
    for (size_t i = 0; i < door->rules.n; i++)
        check_gate_rule(k, door, &rules[i]);
}
