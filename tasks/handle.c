/* All handles of a generation in one list, the live ones first, and a table over keyed
 * hashes of their values. */
#include "tasks/handle.h"

#include "base/arena.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ENDED_MAX =
        1024, /* remembered; the oldest are forgotten, and mean nothing at all */
    KEY_SIZE = 32
};

struct entry {
    struct handle handle;
    const char *origin; /* the shape it was made by, or the value that was fixed */
    unsigned char digest[SHA256_SIZE];
};

struct handles {
    atomic_uint references;
    struct arena *arena;
    struct entry *at;
    size_t n, room;
    uint32_t *slots; /* 1-based, 0: empty; open addressing, at most half full */
    size_t mask;
    bool lengths[HANDLE_MAX + 1]; /* of values: most strangers' texts are of another */
};

/* ---- hashes */

static unsigned char hash_key[KEY_SIZE];

static void
make_key(void)
{
    random_bytes(hash_key, sizeof hash_key);
}

void
handle_digest(struct text value, unsigned char out[SHA256_SIZE])
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char room[KEY_SIZE + HANDLE_MAX];

    (void)pthread_once(&once, make_key);
    memcpy(room, hash_key, KEY_SIZE);
    memcpy(room + KEY_SIZE, value.at, value.n);
    digest_sha256(text_of(room, KEY_SIZE + value.n), out);
}

static size_t
slot_of(const struct handles *h, const unsigned char digest[SHA256_SIZE])
{
    uint64_t front;

    memcpy(&front, digest, sizeof front);
    return (size_t)front & h->mask;
}

static const struct entry *
find_digest(const struct handles *h, const unsigned char digest[SHA256_SIZE])
{
    struct text sought = text_of((const char *)digest, SHA256_SIZE);

    if (h->slots == NULL)
        return NULL;
    for (size_t i = slot_of(h, digest); h->slots[i] != 0; i = (i + 1) & h->mask) {
        const struct entry *e = &h->at[h->slots[i] - 1];

        if (text_equals_constant_time(text_of((const char *)e->digest, SHA256_SIZE),
                                      sought))
            return e;
    }
    return NULL;
}

static const struct entry *
find_value(const struct handles *h, struct text value)
{
    unsigned char digest[SHA256_SIZE];

    if (value.n == 0 || value.n > HANDLE_MAX || !h->lengths[value.n])
        return NULL;
    handle_digest(value, digest);
    return find_digest(h, digest);
}

static void
enter(struct handles *h, size_t i)
{
    size_t slot = slot_of(h, h->at[i].digest);

    while (h->slots[slot] != 0)
        slot = (slot + 1) & h->mask;
    h->slots[slot] = (uint32_t)(i + 1);
}

static void
grow(struct handles *h)
{
    struct entry *old = h->at;

    h->room = h->room == 0 ? 16 : 2 * h->room;
    h->at = memory_new_array(h->room, sizeof *h->at);
    if (h->n > 0)
        memcpy(h->at, old, h->n * sizeof *old);
    free(old);
    free(h->slots);
    h->mask = 4 * h->room - 1;
    h->slots = memory_new_array(h->mask + 1, sizeof *h->slots);
    for (size_t i = 0; i < h->n; i++)
        enter(h, i);
}

/* Texts are copied. */
static void
add(struct handles *h, const struct handle *like, const char *origin)
{
    struct arena *a = h->arena;
    struct entry *e;

    if (h->n == h->room)
        grow(h);
    e = &h->at[h->n];
    e->handle = *like;
    e->handle.value = arena_copy(a, like->value);
    e->handle.credential = arena_copy_z(a, text_z(like->credential));
    e->handle.env = arena_copy_z(a, text_z(like->env));
    e->origin = arena_copy_z(a, text_z(origin));
    handle_digest(like->value, e->digest);
    h->lengths[like->value.n] = true;
    enter(h, h->n++);
}

/* ---- values */

static bool
same_caller(const struct conf_caller *a, const struct conf_caller *b)
{
    return a->any == b->any && (a->any || a->uid == b->uid);
}

const char *
handle_shape(const struct conf_credential *c)
{
    return c->handle.shape != NULL ? c->handle.shape : "hf_{32}";
}

static const char *
origin_of(const struct conf_credential *c)
{
    return c->handle.value != NULL ? c->handle.value : handle_shape(c);
}

/* The one of the generation before, so that a reload breaks no running workload. */
static const struct entry *
find_kept(const struct handles *before, const struct conf_credential *c,
          const struct conf_caller *caller)
{
    for (size_t i = 0; before != NULL && i < before->n; i++) {
        const struct entry *e = &before->at[i];

        if (!e->handle.ended && strcmp(e->handle.credential, c->name) == 0 &&
            same_caller(&e->handle.caller, caller) &&
            strcmp(e->origin, origin_of(c)) == 0)
            return e;
    }
    return NULL;
}

/* Letters and digits without a bias: a byte beyond the last whole row is drawn again.
 */
static void
add_random(struct buf *out, size_t n)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    enum { LETTERS = sizeof letters - 1, WHOLE = 256 / LETTERS * LETTERS };
    unsigned char byte;

    while (n > 0) {
        random_bytes(&byte, 1);
        if (byte >= WHOLE)
            continue;
        buf_add_byte(out, letters[byte % LETTERS]);
        n--;
    }
}

bool
handle_make(const char *shape, struct buf *out)
{
    const char *open = strchr(shape, '{');
    const char *close = open != NULL ? strchr(open, '}') : NULL;
    uint64_t n;

    if (close == NULL ||
        !text_to_u64(text_of(open + 1, (size_t)(close - open - 1)), HANDLE_MAX, &n) ||
        strlen(shape) + n > HANDLE_MAX)
        return false;
    buf_add(out, text_of(shape, (size_t)(open - shape)));
    add_random(out, n);
    buf_add_z(out, close + 1);
    return true;
}

/* ---- building */

struct building {
    struct handles *handles;
    const struct handles *before;
    struct buf *report;
    enum reason why;
};

static void
complain(struct building *b, const struct conf_credential *c, const char *key,
         const char *what)
{
    buf_printf(b->report, "%s:%u: credentials.%s.%s: %s\n", c->place.file,
               c->place.line, c->name, key, what);
    b->why = REASON_CONFIG;
}

static char
variable_letter(char c)
{
    if (c >= 'a' && c <= 'z')
        return (char)(c - 'a' + 'A');
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
}

void
handle_variable(const struct conf_credential *c, struct buf *out)
{
    if (c->handle.env != NULL) {
        buf_add_z(out, c->handle.env);
        return;
    }
    buf_add_z(out, "HOLDFAST_");
    for (const char *name = c->name; *name != '\0'; name++)
        buf_add_byte(out, variable_letter(*name));
}

/* A value that cannot be had again, or one that is somebody's already. */
static bool
find_value_for(struct building *b, const struct conf_credential *c, struct buf *value)
{
    for (int tries = 0; tries < 8; tries++) {
        if (!handle_make(handle_shape(c), value)) {
            complain(b, c, "handle.shape", "has no \"{n}\" for n random characters");
            return false;
        }
        if (find_value(b->handles, buf_text(value)) == NULL &&
            (b->before == NULL || find_value(b->before, buf_text(value)) == NULL))
            return true;
        buf_free(value);
    }
    complain(b, c, "handle.shape",
             "gives too few different handles: write a longer one");
    return false;
}

static void
add_fixed(struct building *b, const struct conf_credential *c, struct handle *made)
{
    made->value = text_z(c->handle.value);
    if (made->value.n == 0 || made->value.n > HANDLE_MAX)
        complain(b, c, "handle.value", "is empty or longer than 512 bytes");
    else if (find_value(b->handles, made->value) != NULL)
        complain(
            b, c, "handle.value",
            "would be the handle of two callers or credentials: give each its own, "
            "or leave it to be made");
    else
        add(b->handles, made, origin_of(c));
}

static void
add_for(struct building *b, const struct conf_credential *c,
        const struct conf_caller *caller)
{
    const struct entry *kept = find_kept(b->before, c, caller);
    struct buf value = { 0 }, variable = { 0 };
    struct handle made = { .credential = c->name, .caller = *caller };

    handle_variable(c, &variable);
    buf_add_byte(&variable, '\0');
    made.env = buf_text(&variable).at;
    if (c->handle.value != NULL) {
        add_fixed(b, c, &made);
    } else if (kept != NULL) {
        made.value = kept->handle.value;
        add(b->handles, &made, kept->origin);
    } else if (find_value_for(b, c, &value)) {
        made.value = buf_text(&value);
        add(b->handles, &made, origin_of(c));
    }
    buf_free(&value);
    buf_free(&variable);
}

bool
handle_is_due(const struct conf_credential *c)
{
    return c->source.kind == SOURCE_FILE;
}

static bool
has_one(const struct handles *h, const char *credential,
        const struct conf_caller *caller)
{
    for (size_t i = 0; i < h->n; i++)
        if (strcmp(h->at[i].handle.credential, credential) == 0 &&
            same_caller(&h->at[i].handle.caller, caller))
            return true;
    return false;
}

static void
add_for_grant(struct building *b, const struct conf *conf, const struct conf_grant *g)
{
    const struct conf_rule *rules = g->rules.at;
    const char *last = NULL;

    if (g->task == TASK_REQUIRED) /* each of its tasks has its own */
        return;
    for (size_t i = 0; i < g->rules.n; i++) {
        const struct conf_credential *c;

        /* Rules side by side often name the same one. */
        if (rules[i].credential == NULL ||
            (last != NULL && strcmp(last, rules[i].credential) == 0))
            continue;
        last = rules[i].credential;
        c = conf_credential(conf, last);
        if (c != NULL && handle_is_due(c) && !has_one(b->handles, c->name, &g->caller))
            add_for(b, c, &g->caller);
    }
}

/* What was in force and is no more is still a tripwire, and so is what ended before. */
static void
remember_ended(struct building *b)
{
    const struct handles *before = b->before;
    size_t left = ENDED_MAX;

    for (size_t i = 0; before != NULL && i < before->n && left > 0; i++) {
        struct handle h = before->at[i].handle;

        if (find_value(b->handles, h.value) != NULL)
            continue;
        h.ended = true;
        add(b->handles, &h, before->at[i].origin);
        left--;
    }
}

enum reason
handles_new(const struct conf *conf, const struct handles *before, struct buf *report,
            struct handles **out)
{
    const struct conf_grant *grants = conf->grants.at;
    struct building b = { .handles = memory_new(sizeof *b.handles),
                          .before = before,
                          .report = report,
                          .why = REASON_OK };

    *out = NULL;
    atomic_init(&b.handles->references, 1);
    b.handles->arena = arena_new();
    for (size_t i = 0; i < conf->grants.n; i++)
        add_for_grant(&b, conf, &grants[i]);
    if (b.why != REASON_OK) {
        handles_unref(b.handles);
        return b.why;
    }
    remember_ended(&b);
    *out = b.handles;
    return REASON_OK;
}

void
handles_ref(struct handles *h)
{
    atomic_fetch_add(&h->references, 1);
}

void
handles_unref(struct handles *h)
{
    if (h == NULL || atomic_fetch_sub(&h->references, 1) != 1)
        return;
    free(h->at);
    free(h->slots);
    arena_free(h->arena);
    free(h);
}

/* ---- asking */

bool
handles_is_empty(const struct handles *h)
{
    return h->n == 0;
}

const struct handle *
handles_find(const struct handles *h, struct text value)
{
    const struct entry *e = find_value(h, value);

    return e != NULL ? &e->handle : NULL;
}

bool
handle_is_for(const struct handle *h, const struct caller *caller,
              const char *credential)
{
    return h != NULL && !h->ended && strcmp(h->credential, credential) == 0 &&
           caller_matches(caller, &h->caller);
}

/* ---- publishing */

static bool
is_workloads(const struct handle *h, const struct conf *conf)
{
    return h->caller.any || h->caller.uid == conf->workload.uid;
}

/* One's own stands before one that is anybody's under the same name. */
static bool
is_outdone(const struct handles *all, const struct handle *h, const struct conf *conf)
{
    for (size_t i = 0; h->caller.any && i < all->n; i++) {
        const struct handle *other = &all->at[i].handle;

        if (!other->ended && !other->caller.any && is_workloads(other, conf) &&
            strcmp(other->env, h->env) == 0)
            return true;
    }
    return false;
}

static void
write_line(struct buf *out, const struct handle *h)
{
    buf_add_z(out, h->env);
    buf_add_byte(out, '=');
    buf_add(out, h->value);
    buf_add_byte(out, '\n');
}

/* Nothing to say: no file. */
static enum reason
put_file(const char *directory, const char *name, struct text lines)
{
    struct buf path = { 0 };
    enum reason why = REASON_OK;

    buf_printf(&path, "%s/%s", directory, name);
    buf_add_byte(&path, '\0');
    if (lines.n > 0)
        why = file_write(buf_text(&path).at, 0644, lines);
    else if (unlink(buf_text(&path).at) != 0 && errno != ENOENT)
        why = log_reason(REASON_FILE_UNREADABLE, "%s: %s", buf_text(&path).at,
                         strerror(errno));
    buf_free(&path);
    return why;
}

static enum reason
publish_workloads(const struct handles *h, const struct conf *conf,
                  const char *directory)
{
    struct buf lines = { 0 };
    enum reason why;

    for (size_t i = 0; i < h->n; i++) {
        const struct handle *one = &h->at[i].handle;

        if (!one->ended && is_workloads(one, conf) && !is_outdone(h, one, conf))
            write_line(&lines, one);
    }
    why = put_file(directory, "handles.env", buf_text(&lines));
    buf_free(&lines);
    return why;
}

static enum reason
publish_uid(const struct handles *h, int64_t uid, const char *directory)
{
    struct buf lines = { 0 };
    enum reason why;
    char name[48];

    for (size_t i = 0; i < h->n; i++) {
        const struct handle *one = &h->at[i].handle;

        if (!one->ended && !one->caller.any && one->caller.uid == uid)
            write_line(&lines, one);
    }
    (void)snprintf(name, sizeof name, "handles.uid-%lld.env", (long long)uid);
    why = put_file(directory, name, buf_text(&lines));
    buf_free(&lines);
    return why;
}

/* The files of callers that have no handle any more go: theirs is empty. */
static enum reason
sweep(const struct handles *h, const struct conf *conf, const char *directory)
{
    DIR *d = opendir(directory);
    enum reason why = REASON_OK;
    struct dirent *e;
    long long uid;
    int end;

    while (d != NULL && why == REASON_OK && (e = readdir(d)) != NULL) {
        end = 0;
        if (sscanf(e->d_name, "handles.uid-%lld.env%n", &uid, &end) != 1 || end == 0 ||
            e->d_name[end] != '\0')
            continue;
        if (uid == conf->workload.uid)
            why = put_file(directory, e->d_name, TEXT(""));
        else
            why = publish_uid(h, uid, directory);
    }
    if (d != NULL)
        closedir(d);
    return why;
}

enum reason
handles_publish(const struct handles *h, const struct conf *conf, const char *directory)
{
    enum reason why = publish_workloads(h, conf, directory);

    for (size_t i = 0; i < h->n && why == REASON_OK; i++) {
        const struct handle *one = &h->at[i].handle;

        if (!one->ended && !is_workloads(one, conf))
            why = publish_uid(h, one->caller.uid, directory);
    }
    return why == REASON_OK ? sweep(h, conf, directory) : why;
}
