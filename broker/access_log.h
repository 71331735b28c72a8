/* The access log's file ([log] access_file): the broker opens it and gives it to every worker, and opens it again when it has been
 * rotated (SIGUSR1, broker reopen). Workers open nothing, and have it for writing at its end alone. */
#ifndef KEYWARD_BROKER_ACCESS_LOG_H
#define KEYWARD_BROKER_ACCESS_LOG_H

#include "broker/control.h"
#include "broker/user.h"
#include "proto/message.h"

struct broker;
struct process;

enum log_file_use { LOG_FILE_WRITE, LOG_FILE_CHECK };

/* Zero state: the log is on standard error. */
struct access_log_file {
    const char *path; /* NULL: there is none */
    int dir;          /* that it is in: what is rotated is another file of the same name */
    int fd;

    uint64_t id;                 /* of the order to the workers; 0: none is under way */
    bool waits[LIMIT_PROCESSES]; /* answers that are out, by the process's place */
    uint64_t deadline;           /* 0 without one */
    bool has_ticket;
    struct control_ticket ticket;
};

/* access_log_open opens or makes the file at path (mode 0640, for owner), which stays the caller's; an empty path: there is none. A
 * regular file, no link. For LOG_FILE_CHECK nothing is made. ERR_INPUT and ERR_SYSTEM with a diagnostic. */
MUST_CHECK enum err access_log_open(struct access_log_file *out, const char *path, const struct user *owner,
                                    enum log_file_use use, struct diag *diag);

/* access_log_tell gives the file to a worker, which answers DONE if id is not 0. */
void access_log_tell(struct broker *broker, struct process *web, uint64_t id);

/* access_log_reopen opens the file of that name again and gives it to all workers; the ticket (NULL: a signal asked) is answered when
 * all have it, so that nobody writes to the old one any more. If it cannot be opened the old one stays in use. */
void access_log_reopen(struct broker *broker, const struct control_ticket *ticket);

void access_log_note_answer(struct broker *broker, const struct process *web, const struct msg *msg);
void access_log_note_web_gone(struct broker *broker, const struct process *web);

/* access_log_expire says who has not taken it within DEADLINE_REOPEN_MS. */
void access_log_expire(struct broker *broker, uint64_t now);

#endif
