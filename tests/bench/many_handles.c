/* What a worker's signature costs keyd while many handles are out.
 *
 * many_handles KEYD HANDLES ROUNDS: a keyd with no handle and one with HANDLES take turns. Writes "one P50 P99 MIN" and
 * "many P50 P99 MIN" of the round trip and "one-cpu US" and "many-cpu US" of keyd's CPU time for a signature. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/rig.h"

enum { EACH = 500, HERE = 0 };

struct subject {
    struct rig rig;
    struct link link;
    int epoll;
    struct samples round_trips, cpu;
};

static void start(struct subject *subject, const char *keyd, uint64_t handles)
{
    rig_start(&subject->rig, keyd);
    for (uint64_t i = 0; i < handles; i++) {
        (void)rig_grant(&subject->rig, 2 + i, PURPOSE_BROWSER_DIGEST);
        rig_read_events(&subject->rig);
    }
    subject->link = rig_grant(&subject->rig, 1, PURPOSE_TLS_SERVER);
    subject->epoll = rig_watch(&subject->link);
    rig_pin(subject->rig.pid, HERE);
    rig_ask_server(&subject->rig, &subject->link, subject->epoll); /* all grants are read by now */
}

static void measure(struct subject *subject)
{
    const uint64_t cpu = rig_cpu_ns(subject->rig.pid);
    for (int i = 0; i < EACH; i++) {
        const uint64_t begin = samples_now();
        rig_ask_server(&subject->rig, &subject->link, subject->epoll);
        samples_add(&subject->round_trips, samples_now() - begin);
    }
    samples_add(&subject->cpu, (rig_cpu_ns(subject->rig.pid) - cpu) / EACH);
}

int main(int argc, char **argv)
{
    static struct subject one, many;
    if (argc != 4) {
        fprintf(stderr, "usage: many_handles KEYD HANDLES ROUNDS\n");
        return 100;
    }
    rig_pin(0, HERE);
    start(&one, argv[1], 0);
    start(&many, argv[1], strtoull(argv[2], NULL, 10));
    for (unsigned long round = strtoul(argv[3], NULL, 10); round > 0; round--) {
        measure(&one);
        measure(&many);
    }
    samples_print(&one.round_trips, "one");
    samples_print(&many.round_trips, "many");
    samples_print(&one.cpu, "one-cpu");
    samples_print(&many.cpu, "many-cpu");
    rig_stop(&one.rig);
    rig_stop(&many.rig);
    return 0;
}
