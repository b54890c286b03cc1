/* A trie whose edges stand in one hash table: a step costs one look-up however many
 * children a node has, so a policy of 100,000 hosts costs what one of ten does. Grown
 * while a generation is built, then only read. */
#ifndef TASKS_TRIE_H
#define TASKS_TRIE_H

#include "base/text.h"

struct trie;

enum { TRIE_NONE = 0 };

/* Never NULL: memory that cannot be had ends the process. */
struct trie *trie_new(void);
void trie_free(struct trie *t);

/* A new node without a parent: the root of a tree of its own. Nodes count from 1, in
 * order. */
uint32_t trie_root(struct trie *t);
/* The child of this label, made when it is not there. The label is on loan for the
 * trie's life. */
uint32_t trie_add(struct trie *t, uint32_t parent, struct text label);
/* The child of this label; TRIE_NONE when there is none. Allocates nothing. */
uint32_t trie_child(const struct trie *t, uint32_t parent, struct text label);

#endif
