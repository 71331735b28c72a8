#include "web/http/request_id.h"

#include <sys/random.h>

#include "base/bytes.h"

enum err request_ids_init(struct request_ids *ids)
{
    if (getrandom(&ids->worker, sizeof(ids->worker), 0) != (ssize_t)sizeof(ids->worker)) return ERR_SYSTEM;
    if (getrandom(&ids->next, sizeof(ids->next), 0) != (ssize_t)sizeof(ids->next)) return ERR_SYSTEM;
    return ERR_OK;
}

/* SplitMix64's last steps: each undoes itself, so different numbers stay different. It hides the count from who sees a
 * few names in passing; it keeps no secret. */
static uint64_t mix(uint64_t number)
{
    number = (number ^ (number >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ (number >> 27)) * UINT64_C(0x94d049bb133111eb);
    return number ^ (number >> 31);
}

void request_id_make(char out[REQUEST_ID_LEN + 1], struct request_ids *ids)
{
    uint8_t id[REQUEST_ID_LEN / 2];
    const uint64_t number = mix(ids->next++);
    for (size_t i = 0; i < 4; i++) id[i] = (uint8_t)(ids->worker >> (24 - 8 * i));
    for (size_t i = 0; i < 8; i++) id[4 + i] = (uint8_t)(number >> (56 - 8 * i));
    bytes_hex(out, (struct bytes){id, sizeof(id)});
}
