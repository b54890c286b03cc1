/* What a rule says of its signatures: components that a request has, and of each
 * profile what is its own. */
#include "conf/check.h"

#include "conf/pattern.h"

/* Of the WIMSE profile: what is a verifier's to rely on, and no operator's to change.
 */
static void
check_wimse_signature(const struct check *k, const struct conf_signature *s)
{
    static const char *const own[] = { "tag", "label", "alg", "nonce", "created" };

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (check_has_key(k, s, own[i]))
            check_complain(k, s, own[i],
                           "is laid down by the WIMSE profile: remove it");
    if (check_has_key(k, s, "response_jwks_file"))
        check_complain(k, s, "response_jwks_file",
                       "who answers in the WIMSE profile is a workload: write "
                       "response_trust = ( { ... } ); instead");
    if (s->response == RESPONSE_VERIFY && !check_has_key(k, s, "response_trust"))
        check_complain(k, s, "response_trust",
                       "is missing with response = \"verify\": write response_trust = "
                       "( { domain = \"prod.example\"; jwks_file = "
                       "\"/etc/holdfast/prod.jwks.json\"; subjects = [\"...\"]; } );");
}

static void
check_plain_signature(const struct check *k, const struct conf_signature *s)
{
    if (check_has_key(k, s, "audience"))
        check_complain(k, s, "audience",
                       "is the WIMSE profile's: remove it, and cover \"@authority\" or "
                       "\"@target-uri\"");
    if (check_has_key(k, s, "response_trust"))
        check_complain(k, s, "response_trust",
                       "is the WIMSE profile's: write response_jwks_file = "
                       "\"/etc/holdfast/service.jwks.json\"; instead");
    if (s->response == RESPONSE_VERIFY && !check_has_key(k, s, "response_jwks_file"))
        check_complain(k, s, "response_jwks_file",
                       "is missing with response = \"verify\": write "
                       "response_jwks_file = \"/etc/holdfast/service.jwks.json\";");
}

static void
check_profile(const struct check *k, const struct conf_rule *r,
              const struct conf_credential *c)
{
    const struct conf_signature *s = r->signature;
    bool authority = c->source.kind == SOURCE_AUTHORITY;

    if (s->profile == (authority ? PROFILE_PLAIN : PROFILE_WIMSE))
        check_complain(k, s, "profile",
                       authority ? "the authority's tasks sign with their identity "
                                   "token: write \"wimse\", or a credential whose "
                                   "source is a key"
                                 : "a key has no identity token: write \"plain\", or a "
                                   "credential of the authority");
    else if (authority)
        check_wimse_signature(k, s);
    else
        check_plain_signature(k, s);
}

static void
check_response(const struct check *k, const struct conf_signature *s)
{
    const struct conf_trust *trust = s->response_trust.at;

    if (s->response == RESPONSE_IGNORE && (check_has_key(k, s, "response_trust") ||
                                           check_has_key(k, s, "response_jwks_file")))
        check_complain(
            k, s, "response",
            "says that nobody looks at an answer's signature: write response "
            "= \"verify\"; or remove whose it would be");
    if (s->response_jwks_file != NULL)
        check_value(k, s, "response_jwks_file", s->response_jwks_file,
                    pattern_file_error(s->response_jwks_file));
    for (size_t i = 0; i < s->response_trust.n; i++)
        check_trust(k, &trust[i], true);
}

void
check_signature(const struct check *k, const struct conf_rule *r,
                const struct conf_credential *c)
{
    const struct conf_signature *s = r->signature;

    if (s == NULL || !check_has_key(k, r, "signature"))
        return;
    if (!conf_names_bind(&r->bind, BIND_HTTPSIG)) {
        check_complain(k, r, "signature",
                       "nothing is signed here: write bind = [\"httpsig\"]; or remove "
                       "it");
        return;
    }
    check_each(k, s, "components", &s->components, pattern_component_error);
    check_no_repeats(k, s, "components", &s->components);
    if (s->label != NULL)
        check_value(k, s, "label", s->label, pattern_label_error(s->label));
    if (s->tag != NULL)
        check_value(k, s, "tag", s->tag, pattern_tag_error(s->tag));
    if (s->audience != NULL)
        check_value(k, s, "audience", s->audience, pattern_visible_error(s->audience));
    check_response(k, s);
    if (c != NULL && conf_can_bind(c, BIND_HTTPSIG))
        check_profile(k, r, c);
}
