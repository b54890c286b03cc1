/* A rulebook: the rules of all grants, compiled. Names go from their last label to
 * their first through one trie, to the rules of the exact name and of every wildcard
 * above it. A few paths of one host are compared one by one; more of them go segment by
 * segment through another trie. Reading allocates nothing. What of it fits a request is
 * grant.c's to say, who alone reads it. */
#ifndef TASKS_RULEBOOK_H
#define TASKS_RULEBOOK_H

#include "base/buf.h"
#include "base/host.h"
#include "conf/conf.h"
#include "tasks/trie.h"

enum {
    /* One for each label, and one for the exact name. */
    RULEBOOK_SETS_MAX = HOST_MAX / 2 + 2,
    METHODS_MAX = 63,
    HTTPS_PORT = 443,
    HTTP_PORT = 80
};

/* A rule in its place. `next` makes a list of those of one host that differ in more
 * than their path: enough to say what was missed, however many paths a grant has. */
struct line {
    const struct conf_grant *grant;
    const struct conf_rule *rule;
    uint64_t methods;
    uint32_t credential; /* 0: none */
    uint32_t next;
    uint16_t port;
    bool https;
};

/* What a node of the trie leads to. In the tree of names `here` and `below` are sets:
 * of the name itself, and of all below it. In a tree of paths they are fits: of the
 * path itself, and of all its tails. */
struct node {
    uint32_t here, below;
    uint32_t star;
};

/* All rules of one host pattern. */
struct set {
    uint32_t few; /* its paths, … */
    uint32_t n_few;
    uint32_t paths; /* … or the root of their tree; 0: there is none */
    uint32_t any;   /* fits whose rule takes any path */
    uint32_t first, last;
    bool has_opaque, has_read; /* rules that let TLS through unread, and others */
    uint32_t rank;             /* the higher, the more specific */
};

struct fit {
    uint32_t line;
    uint32_t next;
};

struct few {
    struct text pattern;
    uint32_t line;
    uint32_t next;
};

/* Index 0 of each of these means "none". */
struct pile {
    void *at;
    size_t n, room, size;
};

struct rulebook {
    struct arena *arena;
    struct trie *trie;
    struct pile lines, nodes, sets, fits, few;
    struct text methods[METHODS_MAX];
    size_t n_methods;
    uint32_t names, credentials; /* roots */
    bool has_opaque;             /* any rule that lets TLS through unread */
};

static inline struct line *
line_at(const struct rulebook *book, uint32_t i)
{
    return (struct line *)book->lines.at + i;
}

static inline struct node *
node_at(const struct rulebook *book, uint32_t i)
{
    return (struct node *)book->nodes.at + i;
}

static inline struct set *
set_at(const struct rulebook *book, uint32_t i)
{
    return (struct set *)book->sets.at + i;
}

static inline struct fit *
fit_at(const struct rulebook *book, uint32_t i)
{
    return (struct fit *)book->fits.at + i;
}

static inline struct few *
few_at(const struct rulebook *book, uint32_t i)
{
    return (struct few *)book->few.at + i;
}

/* Into a zeroed one, borrowing from the conf. What only shows when compiled (two grants
 * naming different credentials for one request where it can be seen, or one host both
 * opaque and not, a bad host or path pattern) is appended to `report` as "file:line:
 * key: message": REASON_CONFIG then. */
MUST_USE enum reason rulebook_fill(struct rulebook *book, const struct conf *conf,
                                   struct buf *report);
void rulebook_clear(struct rulebook *book);

/* The sets that hold rules for this name, the least specific first; how many. */
size_t rulebook_sets(const struct rulebook *book, const struct host *h,
                     uint32_t sets[RULEBOOK_SETS_MAX]);
/* The bit of this method in a line's mask. */
uint64_t rulebook_method(const struct rulebook *book, struct text method);

#endif
