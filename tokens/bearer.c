/* A secret as it is: what copies it has it, so a rule says why (`unbound_because`), and
 * the log tells the binding by its name.
 *
 * The field's value is a copy in the request's arena, which is wiped when the exchange
 * is over. */
#include "tokens/presenter.h"

#include <string.h>

/* A stranger's of the same name must not leave beside ours: some service reads the
 * first. */
void
secret_put(struct headers *headers, struct text name, struct text prefix,
           struct text secret)
{
    char *value = arena_alloc(headers->arena, prefix.n + secret.n);

    if (prefix.n > 0)
        memcpy(value, prefix.at, prefix.n);
    memcpy(value + prefix.n, secret.at, secret.n);
    headers_remove(headers, name);
    headers_add_secret(headers, name, text_of(value, prefix.n + secret.n));
}

enum reason
bearer_present(const struct means *with, const struct presented *request, int64_t now_s,
               struct headers *headers, struct evidence *evidence)
{
    struct text secret;

    (void)request;
    (void)now_s;
    if (with->token != NULL && token_form(with->token) == FORM_BEARER)
        secret = token_value(with->token);
    else if (with->secret != NULL)
        secret = secret_reveal(with->secret);
    else
        return REASON_NO_BINDING;
    secret_put(headers, TEXT("Authorization"), TEXT("Bearer "), secret);
    *evidence = (struct evidence){ .binding = "bearer" };
    return REASON_OK;
}

enum reason
header_present(const struct means *with, const struct presented *request, int64_t now_s,
               struct headers *headers, struct evidence *evidence)
{
    (void)request;
    (void)now_s;
    if (with->secret == NULL || with->header == NULL)
        return REASON_NO_BINDING;
    secret_put(headers, text_z(with->header), text_z(with->prefix),
               secret_reveal(with->secret));
    *evidence = (struct evidence){ .binding = "header" };
    return REASON_OK;
}
