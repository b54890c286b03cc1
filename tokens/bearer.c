/* A secret as it is: what copies it has it, so a rule says why (`unbound_because`), and
 * the log tells the binding by its name.
 *
 * The field's value is a copy in the request's arena, which is wiped when the exchange
 * is over. */
#include "tokens/presenter.h"

#include <string.h>

/* A stranger's of the same name must not leave beside ours: some service reads the
 * first. */
static void
put(struct headers *headers, struct text name, struct text prefix,
    const struct secret *secret)
{
    struct text bytes = secret_reveal(secret);
    char *value = arena_alloc(headers->arena, prefix.n + bytes.n);

    if (prefix.n > 0)
        memcpy(value, prefix.at, prefix.n);
    memcpy(value + prefix.n, bytes.at, bytes.n);
    headers_remove(headers, name);
    headers_add_secret(headers, name, text_of(value, prefix.n + bytes.n));
}

enum reason
bearer_present(const struct means *with, const struct presented *request, int64_t now_s,
               struct headers *headers, struct evidence *evidence)
{
    (void)request;
    (void)now_s;
    put(headers, TEXT("Authorization"), TEXT("Bearer "), with->secret);
    *evidence = (struct evidence){ .binding = "bearer" };
    return REASON_OK;
}

enum reason
header_present(const struct means *with, const struct presented *request, int64_t now_s,
               struct headers *headers, struct evidence *evidence)
{
    (void)request;
    (void)now_s;
    put(headers, text_z(with->header), text_z(with->prefix), with->secret);
    *evidence = (struct evidence){ .binding = "header" };
    return REASON_OK;
}
