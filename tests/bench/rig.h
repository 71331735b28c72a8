/* What the benchmark's programs share: a keyd with this process in the broker's place, and samples of time.
 *
 * Whatever goes wrong ends the program with a line that says what. */
#ifndef KEYWARD_BENCH_RIG_H
#define KEYWARD_BENCH_RIG_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/link.h"

#define RIG_NO_CPU (-1)

struct rig {
    pid_t pid;
    struct link broker;
    struct codec_arena *arena;
    struct msg identity; /* its spans live as long as the rig */
    struct codec_arena *identity_arena;
};

/* rig_start starts program, a keyd, and has it make its keys. */
void rig_start(struct rig *rig, const char *program);
void rig_stop(struct rig *rig);

/* rig_grant opens a channel for grant, which the caller closes. */
struct link rig_grant(struct rig *rig, uint64_t grant, enum purpose purpose);

/* rig_pin ties a process to one core; pid 0 is the caller. RIG_NO_CPU: to all those that the caller began with. */
void rig_pin(pid_t pid, int cpu);

/* rig_cpu_ns returns the time that the process has spent on a CPU. */
uint64_t rig_cpu_ns(pid_t pid);

/* rig_server_request fills in a SIGN_TLS13_SERVER. */
struct msg rig_server_request(uint64_t id);

/* rig_ask_server has a signature made: sends the request, sleeps in epoll as a web worker does, takes the answer. epoll
 * is the descriptor that rig_watch made for the link. */
int rig_watch(const struct link *link);
void rig_ask_server(struct rig *rig, const struct link *link, int epoll);

/* rig_read_events takes what keyd has reported by now. */
void rig_read_events(struct rig *rig);

/* Times in nanoseconds. */
struct samples {
    uint64_t *values;
    size_t num, room;
};

uint64_t samples_now(void);
void samples_add(struct samples *samples, uint64_t value);

/* samples_print writes "NAME p50 p99 min" in microseconds. */
void samples_print(struct samples *samples, const char *name);

_Noreturn void rig_fail(const char *what);

#endif
