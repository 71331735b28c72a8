#include "browser-shim/module/session.h"

/* A handle is GENERATION * SESSIONS_MAX + index; generations start at 1, so it is never 0. */
struct session *session_open(struct sessions *sessions, ck_flags_t flags)
{
    for (unsigned long i = 0; i < SESSIONS_MAX; i++) {
        struct session *session = &sessions->items[i];
        if (session->handle != 0) continue;
        *session = (struct session){.handle = ++sessions->last_generation * SESSIONS_MAX + i, .flags = flags};
        sessions->num_open++;
        return session;
    }
    return NULL;
}

struct session *session_find(struct sessions *sessions, ck_session_handle_t handle)
{
    struct session *session = &sessions->items[handle % SESSIONS_MAX];
    return handle != 0 && session->handle == handle ? session : NULL;
}

void session_close(struct sessions *sessions, struct session *session)
{
    *session = (struct session){0};
    sessions->num_open--;
}

void session_close_all(struct sessions *sessions)
{
    for (unsigned long i = 0; i < SESSIONS_MAX; i++) {
        if (sessions->items[i].handle != 0) session_close(sessions, &sessions->items[i]);
    }
}

void session_outlive_all(struct sessions *sessions)
{
    for (unsigned long i = 0; i < SESSIONS_MAX; i++) {
        struct session *session = &sessions->items[i];
        if (session->handle != 0)
            *session = (struct session){.handle = session->handle, .flags = session->flags, .outlived = true};
    }
}

void session_start_search(struct session *session, const struct objects *objects, const struct ck_attribute *attributes,
                          unsigned long num_attributes)
{
    session->finding = true;
    session->num_found = 0;
    session->next_found = 0;
    for (ck_object_handle_t handle = objects->first; objects_exist(objects, handle); handle++) {
        if (!objects_match(objects, handle, attributes, num_attributes)) continue;
        session->found[session->num_found++] = handle;
    }
}

unsigned long session_next_found(struct session *session, ck_object_handle_t *out, unsigned long max)
{
    unsigned long count = 0;
    while (count < max && session->next_found < session->num_found)
        out[count++] = session->found[session->next_found++];
    return count;
}
