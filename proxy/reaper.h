/* The reaper: ends what takes long to free (a generation of 100,000 rules) on a thread
 * of its own, so that no loop stands still for it. In the order in which it is handed
 * over. While there is no such thread, whoever hands something over ends it himself. */
#ifndef PROXY_REAPER_H
#define PROXY_REAPER_H

/* Starts the thread. Before all other threads that hand anything over, and after
 * privileges are dropped. That none can be had is logged: it is done without. */
void reaper_begin(void);
/* `end` is called with `what`, once; it may hand over more. Any thread. */
void reaper_take(void (*end)(void *what), void *what);
/* When nobody else hands anything over any more: waits until all of it has been ended.
 * Does nothing where none was begun. */
void reaper_end(void);

#endif
