/* The thread that waits for the disk, so that the writer never does while records come:
 * one sync at a time, as the writer asks for them. */
#include "tasks/writer.h"

void *
syncer_run(void *ledger)
{
    struct ledger *l = ledger;

    (void)pthread_setname_np(pthread_self(), "ledger-sync");
    pthread_mutex_lock(&l->lock);
    while (!l->is_unwatched) {
        if (l->sync != SYNC_UNDER_WAY) {
            pthread_cond_wait(&l->to_sync, &l->lock);
            continue;
        }
        pthread_mutex_unlock(&l->lock);
        sync_run(&l->segment->sync);
        pthread_mutex_lock(&l->lock);
        l->sync = SYNC_OVER;
        ledger_wake(l);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}
