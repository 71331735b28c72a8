/* The sessions that the browser has open, and what each is in the middle of. Not locked: the caller holds the module's
 * lock. */
#ifndef KEYWARD_BROWSER_SHIM_MODULE_SESSION_H
#define KEYWARD_BROWSER_SHIM_MODULE_SESSION_H

#include <stdbool.h>

#include "browser-shim/module/cryptoki.h"
#include "browser-shim/module/objects.h"

#define SESSIONS_MAX 64

struct session {
    ck_session_handle_t handle; /* 0: free */
    ck_flags_t flags;
    bool outlived; /* its token: another has taken that one's place */

    bool finding;
    ck_object_handle_t found[OBJECTS_MAX];
    size_t num_found;
    size_t next_found;

    struct key_use signing; /* scheme 0: not signing */
};

/* Zero state: none open. */
struct sessions {
    struct session items[SESSIONS_MAX];
    unsigned long last_generation;
    unsigned long num_open;
};

/* session_open returns NULL if all are taken. A handle is never given twice, so a closed one is never mistaken. */
struct session *session_open(struct sessions *sessions, ck_flags_t flags);

/* session_find returns NULL for a handle that is not open. */
struct session *session_find(struct sessions *sessions, ck_session_handle_t handle);

void session_close(struct sessions *sessions, struct session *session);
void session_close_all(struct sessions *sessions);

/* session_outlive_all has every session go on with another token: what it was in the middle of has ended. */
void session_outlive_all(struct sessions *sessions);

/* session_start_search notes the objects that match the template. */
void session_start_search(struct session *session, const struct objects *objects, const struct ck_attribute *attributes,
                          unsigned long num_attributes);

/* session_next_found writes up to max of the remaining matches to out and returns how many. */
unsigned long session_next_found(struct session *session, ck_object_handle_t *out, unsigned long max);

#endif
