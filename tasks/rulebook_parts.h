/* What the files behind rulebook.h ask of each other while one is made: rulebook.c
 * takes the rules one by one, rulebook_paths.c puts each under its paths,
 * rulebook_conflicts.c holds it against those that are there. */
#ifndef TASKS_RULEBOOK_PARTS_H
#define TASKS_RULEBOOK_PARTS_H

#include "tasks/rulebook.h"

/* One rule on its way in, and where it stands for the report. */
struct building {
    struct rulebook *book;
    struct buf *report;
    size_t grant, rule;
    bool failed;
    bool conflict_told;
};

/* Room for one more; its index. What was pointed to before may have moved. */
uint32_t rulebook_pile_add(struct pile *p);
/* Nodes, with a place in `nodes` for what they lead to. */
uint32_t rulebook_new_root(struct rulebook *book);
uint32_t rulebook_new_child(struct rulebook *book, uint32_t parent, struct text label);
/* Into the report: this key of the rule cannot be taken. */
void rulebook_fault(struct building *b, const struct conf_rule *r, const char *key,
                    const char *value, const char *message);

/* The line fits this path of the set's host; it is compared with those that do, too. */
void rulebook_add_path(struct building *b, uint32_t set, struct text pattern,
                       uint32_t line);
/* Adds the line to the list of fits that begins at *first. */
void rulebook_add_fit(struct building *b, uint32_t *first, uint32_t line);

/* Two that fit the same host and path; false: it is the same line, whose path is
 * written twice. */
bool rulebook_compare_lines(struct building *b, uint32_t mine, uint32_t other);
/* One of the set, before it is among its lines. */
void rulebook_compare_ways(struct building *b, uint32_t set, uint32_t mine);

#endif
