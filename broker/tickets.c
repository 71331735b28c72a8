#include "broker/tickets.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "broker/broker.h"
#include "broker/memory_file.h"

/* A mapping of its own. */
struct ticket_keys {
    size_t num;
    uint8_t keys[LIMIT_TICKET_KEYS][LIMIT_TICKET_KEY]; /* the one that is used first */
};

static void make_key(struct ticket_keys *keys)
{
    size_t at = 0;
    while (at < LIMIT_TICKET_KEY) {
        const ssize_t got = getrandom(keys->keys[0] + at, LIMIT_TICKET_KEY - at, 0);
        CHECK(got > 0 || errno == EINTR); /* of so few bytes the kernel refuses none */
        if (got > 0) at += (size_t)got;
    }
}

enum err tickets_begin(struct tickets *tickets, struct diag *diag)
{
    struct ticket_keys *keys = mmap(NULL, sizeof *keys, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (keys == MAP_FAILED || mlock(keys, sizeof *keys) != 0 || madvise(keys, sizeof *keys, MADV_DONTDUMP) != 0)
        return diag_set(diag, ERR_SYSTEM,
                        "no memory can be locked for ticket keys: %s; raise RLIMIT_MEMLOCK, or set "
                        "[tls] resumption = no",
                        strerror(errno));
    tickets->keys = keys;
    tickets_replace(tickets);
    return ERR_OK;
}

void tickets_replace(struct tickets *tickets)
{
    if (tickets->keys == NULL) return;
    explicit_bzero(tickets->keys, sizeof *tickets->keys);
    make_key(tickets->keys);
    tickets->keys->num = 1;
    tickets->rotate_at = clock_monotonic_ms() + UINT64_C(1000) * LIMIT_TICKET_KEY_S;
}

static void rotate(struct tickets *tickets, uint64_t now)
{
    struct ticket_keys *keys = tickets->keys;
    memmove(keys->keys[1], keys->keys[0], sizeof keys->keys - sizeof keys->keys[0]);
    make_key(keys);
    if (keys->num < LIMIT_TICKET_KEYS) keys->num++;
    tickets->rotate_at = now + UINT64_C(1000) * LIMIT_TICKET_KEY_S;
}

int tickets_file(const struct tickets *tickets)
{
    const size_t len = tickets->keys->num * LIMIT_TICKET_KEY;
    AUTO_FD fd = memory_file_new("tickets");
    if (fd < 0 || pwrite(fd, tickets->keys->keys, len, 0) != (ssize_t)len) return -1;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) return -1;
    return auto_keep_fd(&fd);
}

void tickets_tell(struct broker *broker, struct process *web)
{
    const struct msg msg = {.kind = MSG_WEB_TICKETS};
    if (broker->tickets.keys == NULL || !process_is_up(web)) return;
    AUTO_FD fd = tickets_file(&broker->tickets);
    if (fd >= 0)
        process_send(broker, web, &msg, &fd, 1);
    else
        log_warning("%s is given no ticket keys: %s", web->name, strerror(errno));
}

void tickets_rotate(struct broker *broker, uint64_t now)
{
    if (broker->tickets.keys == NULL || now < broker->tickets.rotate_at) return;
    rotate(&broker->tickets, now);
    for (size_t i = 0; i < broker->num_processes; i++) {
        struct process *process = &broker->processes[i];
        if (process->row->program == PROGRAM_WEB && process->introduced) tickets_tell(broker, process);
    }
}
