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

enum err connect_begin(struct connects *connects, uint32_t worker, uint64_t id, const struct address *address,
                       uint64_t now)
{
    if (connects->num_rows == CONNECT_MAX || count_of(connects, worker) >= LIMIT_CONNECTING) return ERR_TOO_LARGE;
    int fd = socket(address->socket.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return ERR_SYSTEM;
    connects->rows[connects->num_rows++] = (struct connecting){
        .worker = worker,
        .id = id,
        .address = address,
        .fd = fd,
        .deadline = now + DEADLINE_PROXY_CONNECT_MS,
        .retry_at = now,
    };
    return ERR_OK;
}

/* Asking again says how the first attempt came out. 0: connected; EAGAIN: not yet. */
static int try_connect(struct connecting *row, uint64_t now)
{
    int error = 0;
    if (connect(row->fd, (const struct sockaddr *)&row->address->socket, row->address->len) != 0) error = errno;
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

static void give_out(struct connects *connects, size_t i, int error, struct connect_result *out)
{
    const struct connecting *row = &connects->rows[i];
    *out = (struct connect_result){.worker = row->worker, .id = row->id, .fd = row->fd, .error = error};
    if (error != 0) {
        close(row->fd);
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
