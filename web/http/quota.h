/* How many bytes the uploads directory may hold, over all workers together. They share one page of memory: what has its
 * name there, and what each of them is about to add. Room is taken before bytes are written, so the directory never
 * holds more than the quota; only what others put there is noticed late, at the next count. */
#ifndef KEYWARD_WEB_HTTP_QUOTA_H
#define KEYWARD_WEB_HTTP_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct quota_page;

struct quota {
    struct quota_page *page; /* NULL: there is no quota */
    unsigned worker;
    uint64_t limit;
};

/* quota_open maps the page; the descriptor stays the caller's. What this worker's predecessor had taken is given back.
 * ERR_INPUT: the page is too short or can be made so; ERR_SYSTEM. With a diagnostic. */
MUST_CHECK enum err quota_open(struct quota *out, int page_fd, unsigned worker, uint64_t limit, struct diag *diag);

void quota_close(struct quota *quota);

/* quota_take takes room for bytes. False: there is none. Without a quota there always is. */
bool quota_take(const struct quota *quota, uint64_t bytes);

void quota_give(const struct quota *quota, uint64_t bytes);

/* quota_replaced: a file of that size has got its name, in the place of one of the old size, or 0. Under the
 * directory's lock. */
void quota_replaced(const struct quota *quota, uint64_t size, uint64_t old_size);

/* quota_counted: the named files have that many bytes. Under the directory's lock. */
void quota_counted(const struct quota *quota, uint64_t bytes);

/* quota_is_stale says whether no worker has counted for that long. */
bool quota_is_stale(const struct quota *quota, uint64_t ms);

#endif
