#include "certs/client_identity.h"

#include "base/memory.h"
#include "certs/certificate.h"

#include <assert.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_SIZE = 2048 /* of a SPIFFE ID */, DNS_MAX_SIZE = 253 };

struct client_identity {
    char thumbprint[SHA256_BASE64URL_SIZE];
    int64_t expires_s;
    enum client_name kind;
    struct text name; /* its bytes are ours */
};

/* ---- names */

static struct text
text_of_name(const GENERAL_NAME *n, int type)
{
    const ASN1_IA5STRING *s = type == GEN_URI ? n->d.uniformResourceIdentifier
                                              : n->d.dNSName;

    return text_of((const char *)ASN1_STRING_get0_data(s),
                   (size_t)ASN1_STRING_length(s));
}

/* How many of this type there are, and the last of them. */
static size_t
count_names(const GENERAL_NAMES *names, int type, struct text *one)
{
    size_t n = 0;

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type != type)
            continue;
        *one = text_of_name(name, type);
        n++;
    }
    return n;
}

static bool
is_printable(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (t.at[i] <= ' ' || t.at[i] > '~')
            return false;
    return t.n > 0 && t.n <= NAME_MAX_SIZE;
}

static bool
is_of_a_host(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '-' || c == '.' || c == '_';
}

/* A name for many is nobody's; and one that is no host's could be read as a URI. */
static bool
is_dns_name(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (!is_of_a_host(t.at[i]))
            return false;
    return t.n > 0 && t.n <= DNS_MAX_SIZE;
}

static enum client_name
find_name(const GENERAL_NAMES *names, struct text *name)
{
    size_t n = count_names(names, GEN_URI, name);

    if (n > 0)
        return n == 1 && is_printable(*name) ? CLIENT_NAME_URI : CLIENT_NAME_NONE;
    n = count_names(names, GEN_DNS, name);
    return n == 1 && is_dns_name(*name) ? CLIENT_NAME_DNS : CLIENT_NAME_NONE;
}

/* ---- who may have one, and from whom */

static bool
may_sign_others(X509 *x)
{
    uint32_t usage = X509_get_key_usage(x); /* all bits where it says nothing */

    return X509_check_ca(x) != 0 ||
           (usage != UINT32_MAX && (usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0);
}

/* "spiffe://domain", of "spiffe://domain/path". */
static struct text
domain_of(struct text uri)
{
    size_t slashes = 0, n = 0;

    while (n < uri.n && (uri.at[n] != '/' || ++slashes < 3))
        n++;
    return text_of(uri.at, n);
}

/* A CA that is itself of a trust domain speaks for no other. */
static bool
may_name(X509 *ca, struct text uri)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(ca, NID_subject_alt_name, NULL, NULL);
    struct text own = { NULL, 0 };
    size_t n = count_names(names, GEN_URI, &own);
    bool may = n == 0 || (n == 1 && text_equals_nocase(domain_of(own), domain_of(uri)));

    GENERAL_NAMES_free(names);
    return may;
}

static bool
is_of_its_domain(const STACK_OF(X509) * chain, struct text uri)
{
    for (int i = 1; i < sk_X509_num(chain); i++)
        if (!may_name(sk_X509_value(chain, i), uri))
            return false;
    return true;
}

/* ---- its life */

static int64_t
first_end(const STACK_OF(X509) * chain)
{
    int64_t first = INT64_MAX;
    struct validity v;

    for (int i = 0; i < sk_X509_num(chain); i++) {
        if (!certificate_validity(sk_X509_value(chain, i), &v))
            return 0;
        if (v.until_s < first)
            first = v.until_s;
    }
    return first;
}

static void
keep_name(struct client_identity *c, struct text name)
{
    char *bytes = memory_new_raw(name.n);

    for (size_t i = 0; i < name.n; i++) {
        char b = name.at[i];
        bool folds = c->kind == CLIENT_NAME_DNS && b >= 'A' && b <= 'Z';

        bytes[i] = (char)(folds ? b - 'A' + 'a' : b);
    }
    c->name = text_of(bytes, name.n);
}

struct client_identity *
client_identity_read(const STACK_OF(X509) * chain)
{
    struct client_identity *c = memory_new(sizeof *c);
    X509 *leaf = sk_X509_value(chain, 0);
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    struct text name = { NULL, 0 };

    assert(leaf != NULL);
    certificate_thumbprint(leaf, c->thumbprint);
    c->expires_s = first_end(chain);
    c->kind = may_sign_others(leaf) ? CLIENT_NAME_NONE : find_name(names, &name);
    if (c->kind == CLIENT_NAME_URI && !is_of_its_domain(chain, name))
        c->kind = CLIENT_NAME_NONE;
    if (c->kind != CLIENT_NAME_NONE)
        keep_name(c, name);
    GENERAL_NAMES_free(names);
    return c;
}

void
client_identity_free(struct client_identity *c)
{
    if (c == NULL)
        return;
    free((char *)(uintptr_t)c->name.at);
    free(c);
}

/* ---- what it says */

enum client_name
client_identity_kind(const struct client_identity *c)
{
    return c->kind;
}

struct text
client_identity_name(const struct client_identity *c)
{
    return c->name;
}

struct text
client_identity_thumbprint(const struct client_identity *c)
{
    return text_of(c->thumbprint, sizeof c->thumbprint);
}

int64_t
client_identity_expires_s(const struct client_identity *c)
{
    return c->expires_s;
}
