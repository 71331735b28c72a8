#include "broker/handles.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

/* ---- Those that expire: a binary heap (Knuth, The Art of Computer Programming, 5.2.3) ---------------------------- */

static void due_place(struct handles *handles, struct handle *handle, size_t place)
{
    handles->due[place - 1] = handle;
    handle->due = place;
}

/* Moves the handle from a free place towards the first until none above it expires later. */
static void due_rise(struct handles *handles, struct handle *handle, size_t place)
{
    while (place > 1 && handles->due[place / 2 - 1]->expires > handle->expires) {
        due_place(handles, handles->due[place / 2 - 1], place);
        place /= 2;
    }
    due_place(handles, handle, place);
}

static void due_sink(struct handles *handles, struct handle *handle, size_t place)
{
    for (size_t below = 2 * place; below <= handles->num_due; below = 2 * place) {
        if (below < handles->num_due && handles->due[below]->expires < handles->due[below - 1]->expires) below++;
        if (handles->due[below - 1]->expires >= handle->expires) break;
        due_place(handles, handles->due[below - 1], place);
        place = below;
    }
    due_place(handles, handle, place);
}

static void due_add(struct handles *handles, struct handle *handle)
{
    if (handle->expires != 0) due_rise(handles, handle, ++handles->num_due);
}

static void due_remove(struct handles *handles, const struct handle *handle)
{
    if (handle->due == 0) return;
    const size_t hole = handle->due;
    struct handle *last = handles->due[--handles->num_due];
    if (last == handle) return;
    due_sink(handles, last, hole);
    due_rise(handles, last, last->due);
}

/* ---- The family ------------------------------------------------------------------------------------------------- */

static void family_join(struct handle *handle, struct handle *parent)
{
    handle->parent = parent;
    if (!parent) return;
    handle->next_sibling = parent->first_child;
    if (handle->next_sibling) handle->next_sibling->prev_sibling = handle;
    parent->first_child = handle;
}

static void family_leave(const struct handle *handle)
{
    if (!handle->parent) return;
    *(handle->prev_sibling ? &handle->prev_sibling->next_sibling : &handle->parent->first_child) = handle->next_sibling;
    if (handle->next_sibling) handle->next_sibling->prev_sibling = handle->prev_sibling;
}

size_t handle_depth(const struct handle *handle)
{
    size_t depth = 0;
    while ((handle = handle->parent)) depth++;
    return depth;
}

/* ---- The table -------------------------------------------------------------------------------------------------- */

static struct handle *take_slot(struct handles *handles)
{
    struct handle *slot = handles->free;
    if (slot) {
        handles->free = slot->next;
    } else if (handles->num_slots < LIMIT_GRANTS) {
        slot = &handles->slots[handles->num_slots++];
    }
    return slot;
}

static void append(struct handles *handles, struct handle *handle)
{
    handle->prev = handles->last;
    *(handles->last ? &handles->last->next : &handles->first) = handle;
    handles->last = handle;
    handles->num++;
    handles->num_of[handle->purpose]++;
    number_table_put(&handles->by_id, handle->id, (uint32_t)(handle - handles->slots));
}

/* A derived one has its parent's, and no other can be asked for. */
static void set_ca(struct handle *handle, struct bytes ca, const struct handle *parent)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    if (parent) memcpy(handle->ca, parent->ca, sizeof handle->ca);
    if (parent || ca.len == 0) return;
    SHA256(ca.data, ca.len, digest);
    bytes_hex(handle->ca, (struct bytes){digest, sizeof digest});
}

static void set_terms(struct handle *handle, const struct keyd_grant *terms, const struct handle *parent, uint64_t now)
{
    const bool has_server = terms->server && terms->server[0];
    *handle = (struct handle){
        .purpose = terms->purpose,
        .expires = terms->lifetime_s != 0 ? now + UINT64_C(1000) * terms->lifetime_s
                   : parent               ? parent->expires
                                          : 0,
        .max_signatures = terms->max_signatures == 0 && parent ? parent->max_signatures : terms->max_signatures,
        .rate = terms->rate == 0 && parent ? parent->rate : terms->rate,
        .pinned_pid = terms->pid == 0 && parent ? parent->pinned_pid : terms->pid,
    };
    snprintf(handle->label, sizeof handle->label, "%s", terms->label);
    snprintf(handle->server, sizeof handle->server, "%s", has_server ? terms->server : parent ? parent->server : "");
    set_ca(handle, terms->ca, parent);
}

struct handle *handles_add(struct handles *handles, const struct keyd_grant *terms, uint64_t now)
{
    struct handle *parent = handles_find(handles, terms->parent);
    if (terms->parent != 0 && !parent) return NULL;
    if (terms->purpose == PURPOSE_TLS_CLIENT && handles->num_of[PURPOSE_TLS_CLIENT] >= HANDLES_MINTED_MAX) return NULL;
    struct handle *handle = take_slot(handles);
    if (!handle) return NULL;
    set_terms(handle, terms, parent, now);
    handle->id = ++handles->last_id;
    family_join(handle, parent);
    append(handles, handle);
    due_add(handles, handle);
    return handle;
}

struct handle *handles_find(struct handles *handles, uint64_t id)
{
    const uint32_t slot = number_table_find(&handles->by_id, id);
    return slot != NUMBER_TABLE_NONE ? &handles->slots[slot] : NULL;
}

struct handle *handles_above(struct handles *handles, uint64_t id)
{
    const struct handle *at = handles_find(handles, id);
    if (at) return at->next;
    struct handle *handle = handles->first;
    while (handle && handle->id <= id) handle = handle->next;
    return handle;
}

void handles_remove(struct handles *handles, uint64_t id)
{
    struct handle *handle = handles_find(handles, id);
    if (!handle) return;
    while (handle->first_child) handles_remove(handles, handle->first_child->id);
    family_leave(handle);
    due_remove(handles, handle);
    number_table_remove(&handles->by_id, id);
    *(handle->prev ? &handle->prev->next : &handles->first) = handle->next;
    *(handle->next ? &handle->next->prev : &handles->last) = handle->prev;
    handles->num--;
    handles->num_of[handle->purpose]--;
    handle->id = 0;
    handle->next = handles->free;
    handles->free = handle;
}

void handles_clear(struct handles *handles)
{
    while (handles->last) handles_remove(handles, handles->last->id);
}

struct handle *handles_expired(struct handles *handles, uint64_t now)
{
    return handles->num_due > 0 && handles->due[0]->expires <= now ? handles->due[0] : NULL;
}

uint64_t handles_next_expiry(const struct handles *handles)
{
    return handles->num_due > 0 ? handles->due[0]->expires : 0;
}

size_t handles_lent(const struct handles *handles)
{
    return handles->num - handles->num_of[PURPOSE_TLS_SERVER];
}

bool handle_is_lent(const struct handle *handle)
{
    return handle->purpose != PURPOSE_TLS_SERVER;
}
