#include "broker/handles.h"

#include <stdio.h>
#include <string.h>

struct handle *handles_add(struct handles *handles, enum purpose purpose, const char *label, uint32_t lifetime_s,
                           uint64_t max_signatures, uint64_t now)
{
    if (handles->num == LIMIT_GRANTS) return NULL;
    if (purpose == PURPOSE_TLS_CLIENT && handles_count(handles, purpose) >= HANDLES_MINTED_MAX) return NULL;
    struct handle *handle = &handles->rows[handles->num++];
    *handle = (struct handle){
        .id = ++handles->last_id,
        .purpose = purpose,
        .expires = lifetime_s == 0 ? 0 : now + UINT64_C(1000) * lifetime_s,
        .max_signatures = max_signatures,
    };
    snprintf(handle->label, sizeof handle->label, "%s", label);
    return handle;
}

struct handle *handles_find(struct handles *handles, uint64_t id)
{
    for (size_t i = 0; i < handles->num; i++) {
        if (handles->rows[i].id == id) return &handles->rows[i];
    }
    return NULL;
}

void handles_remove(struct handles *handles, uint64_t id)
{
    struct handle *handle = handles_find(handles, id);
    if (!handle) return;
    struct handle *end = &handles->rows[handles->num--];
    memmove(handle, handle + 1, (size_t)((const char *)end - (const char *)(handle + 1)));
}

void handles_clear(struct handles *handles)
{
    handles->num = 0;
}

struct handle *handles_expired(struct handles *handles, uint64_t now)
{
    for (size_t i = 0; i < handles->num; i++) {
        if (handles->rows[i].expires != 0 && handles->rows[i].expires <= now) return &handles->rows[i];
    }
    return NULL;
}

uint64_t handles_next_expiry(const struct handles *handles)
{
    uint64_t next = 0;
    for (size_t i = 0; i < handles->num; i++) {
        uint64_t expires = handles->rows[i].expires;
        if (expires != 0 && (next == 0 || expires < next)) next = expires;
    }
    return next;
}

size_t handles_count(const struct handles *handles, enum purpose purpose)
{
    size_t num = 0;
    for (size_t i = 0; i < handles->num; i++) num += handles->rows[i].purpose == purpose;
    return num;
}

bool handle_is_lent(const struct handle *handle)
{
    return handle->purpose != PURPOSE_TLS_SERVER;
}
