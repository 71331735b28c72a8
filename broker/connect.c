#include "broker/connect.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RETRY_MS = 10 };

static size_t count_of(const struct connects *connects, uint32_t worker)
{
    size_t num = 0;
    for (size_t i = 0; i < connects->num_rows; i++) num += connects->rows[i].worker == worker;
    return num;
}

/* A socket for the first address that is left, and its part of the time. */
static enum err open_first(struct connecting *row, uint64_t now)
{
    row->fd = socket(row->addresses->socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    row->deadline = now + (row->last_deadline - now) / row->num_addresses;
    row->retry_at = now;
    return row->fd >= 0 ? ERR_OK : ERR_SYSTEM;
}

enum err connect_begin(struct connects *connects, uint32_t worker, uint64_t id, const struct address *addresses,
                       size_t num, uint64_t now)
{
    if (connects->num_rows == CONNECT_MAX || count_of(connects, worker) >= LIMIT_CONNECTING) return ERR_TOO_LARGE;
    struct connecting *row = &connects->rows[connects->num_rows];
    *row = (struct connecting){
        .worker = worker,
        .id = id,
        .addresses = addresses,
        .num_addresses = num,
        .last_deadline = now + DEADLINE_PROXY_CONNECT_MS,
    };
    enum err err = open_first(row, now);
    if (err == ERR_OK) connects->num_rows++;
    return err;
}

/* Asking again says how the first attempt came out. 0: connected; EAGAIN: not yet. */
static int try_connect(struct connecting *row, uint64_t now)
{
    int error = 0;
    if (connect(row->fd, (const struct sockaddr *)&row->addresses->socket, row->addresses->len) != 0) error = errno;
    row->retry_at = 0;
    switch (error) {
    case 0:
    case EISCONN: return 0;
    case EAGAIN:
    case EINTR: row->retry_at = now + RETRY_MS; break;
    case EINPROGRESS:
    case EALREADY: break;
    default: return error;
    }
    return now < row->deadline ? EAGAIN : ETIMEDOUT;
}

/* Whether there is another address to try. */
static bool try_another(struct connecting *row, uint64_t now)
{
    while (row->num_addresses > 1 && now < row->last_deadline) {
        close(row->fd);
        row->addresses++;
        row->num_addresses--;
        if (open_first(row, now) == ERR_OK) return true;
    }
    return false;
}

static void give_out(struct connects *connects, size_t i, int error, struct connect_result *out)
{
    const struct connecting *row = &connects->rows[i];
    *out = (struct connect_result){.worker = row->worker, .id = row->id, .fd = row->fd, .error = error};
    if (error != 0) {
        if (row->fd >= 0) close(row->fd);
        out->fd = -1;
    }
    connects->rows[i] = connects->rows[--connects->num_rows];
}

bool connect_next(struct connects *connects, struct connect_result *out, uint64_t now)
{
    for (size_t i = 0; i < connects->num_rows; i++) {
        struct connecting *row = &connects->rows[i];
        if (row->retry_at > now && now < row->deadline) continue;
        int error = try_connect(row, now);
        while (error != 0 && error != EAGAIN && try_another(row, now)) error = try_connect(row, now);
        if (error == EAGAIN) continue;
        give_out(connects, i, error, out);
        return true;
    }
    return false;
}

size_t connect_polls(const struct connects *connects, struct pollfd *rows)
{
    for (size_t i = 0; i < connects->num_rows; i++) {
        const struct connecting *row = &connects->rows[i];
        rows[i] = (struct pollfd){.fd = row->retry_at == 0 ? row->fd : -1, .events = POLLOUT};
    }
    return connects->num_rows;
}

uint64_t connect_deadline(const struct connects *connects)
{
    uint64_t next = 0;
    for (size_t i = 0; i < connects->num_rows; i++) {
        const struct connecting *row = &connects->rows[i];
        uint64_t at = row->retry_at != 0 && row->retry_at < row->deadline ? row->retry_at : row->deadline;
        if (next == 0 || at < next) next = at;
    }
    return next;
}

void connect_forget(struct connects *connects, uint32_t worker)
{
    for (size_t i = connects->num_rows; i > 0; i--) {
        if (connects->rows[i - 1].worker != worker) continue;
        close(connects->rows[i - 1].fd);
        connects->rows[i - 1] = connects->rows[--connects->num_rows];
    }
}
