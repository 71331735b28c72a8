/* The real broker with processes that stand in for keyd, web and the browser's shim: starting, stopping, replacing. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "broker/programs.h"

#define BROKER "broker/broker"
#define FAKE "tests/unit/broker/fake_process"
#define PATIENCE_MS 15000

static char base[] = "/tmp/keyward-life-XXXXXX";
static char runtime[64];
static pid_t broker;
static int lines; /* its standard error */

static void run(const char *command)
{
    cr_assert_eq(system(command), 0, "%s", command);
}

static void install(const char *file, const char *name)
{
    char command[256];
    snprintf(command, sizeof command, "install -m 755 %s %s/%s", file, base, name);
    run(command);
}

static void setup(void)
{
    cr_assert_not_null(mkdtemp(base));
    cr_assert_eq(chmod(base, 0755), 0);
    snprintf(runtime, sizeof runtime, "%s/run", base);
    install(BROKER, "broker");
    install(FAKE, "keyd");
    install(FAKE, "web");
    install(FAKE, "browser-shim");
    install(FAKE, "module.so");
}

static void teardown(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", base);
    run(command);
}

TestSuite(life_cycle, .init = setup, .fini = teardown, .timeout = 90);

/* How name is to misbehave. */
static void direct(const char *name, const char *word)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s.script", base, name);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs(word, file);
    fclose(file);
}

static void start_with(const char *browser)
{
    int ends[2];
    char program[64];
    snprintf(program, sizeof program, "%s/broker", base);
    cr_assert_eq(pipe(ends), 0);
    broker = fork();
    if (broker == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl(program, "broker", browser, "--listen", "127.0.0.1:0", "--workers", "1", "--runtime-dir", runtime,
              (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    lines = ends[0];
}

static void start(void)
{
    start_with("--no-browser");
}

/* Reads lines until one has the text in it; what was read before is lost. */
static void expect_line(const char *text)
{
    static char buffer[8192];
    static size_t len;
    uint64_t deadline = clock_monotonic_ms() + PATIENCE_MS;
    for (;;) {
        char *end = memchr(buffer, '\n', len);
        if (end) {
            *end = '\0';
            fprintf(stderr, "| %s\n", buffer);
            bool found = strstr(buffer, text) != NULL;
            len -= (size_t)(end + 1 - buffer);
            memmove(buffer, end + 1, len);
            if (found) return;
            continue;
        }
        struct pollfd more = {.fd = lines, .events = POLLIN};
        uint64_t now = clock_monotonic_ms();
        cr_assert(now < deadline && poll(&more, 1, (int)(deadline - now)) == 1, "no line with '%s'", text);
        ssize_t got = read(lines, buffer + len, sizeof buffer - len);
        cr_assert_gt(got, 0, "it ended without a line with '%s'", text);
        len += (size_t)got;
    }
}

static int exit_code(void)
{
    int status;
    cr_assert_eq(waitpid(broker, &status, 0), broker);
    cr_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* Stops it as an operator does, and sees that nothing is left within two seconds. */
static void stop(void)
{
    char byte;
    uint64_t begun = clock_monotonic_ms();
    kill(broker, SIGTERM);
    cr_assert_eq(exit_code(), 0);
    /* Every process has the pipe as its standard error: when it ends, all have ended. */
    while (read(lines, &byte, 1) > 0) {
    }
    cr_assert_leq(clock_monotonic_ms() - begun, 2000);
    DIR *dir = opendir(runtime);
    for (struct dirent *entry; (entry = readdir(dir));)
        cr_assert(entry->d_name[0] == '.' || strcmp(entry->d_name, "audit.jsonl") == 0, "left: %s", entry->d_name);
    closedir(dir);
}

/* Runs broker WORDS and returns what it printed. */
static const char *ask(const char *words)
{
    static char answer[65536];
    char command[256];
    snprintf(command, sizeof command, "%s/broker %s --runtime-dir %s 2>&1", base, words, runtime);
    FILE *out = popen(command, "r");
    size_t len = fread(answer, 1, sizeof answer - 1, out);
    answer[len] = '\0';
    pclose(out);
    return answer;
}

Test(life_cycle, starts_everything_and_stops_it)
{
    start();
    expect_line("broker: ready url=https://localhost:");
    const char *status = ask("status --json");
    cr_assert_not_null(strstr(status, "\"name\": \"web[0]\""), "%s", status);
    cr_assert_not_null(strstr(status, "\"handshakes\": 5"), "%s", status);
    cr_assert_not_null(strstr(ask("ca"), "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"));
    stop();
}

Test(life_cycle, gives_a_worker_its_identity_before_its_listeners)
{
    start();
    expect_line("web: identity");
    expect_line("web: listener 127.0.0.1:");
    stop();
}

Test(life_cycle, passes_on_what_keeps_a_process_from_starting)
{
    direct("keyd", "fails");
    start();
    expect_line("keyd: names: too odd");
    cr_assert_eq(exit_code(), 100);
}

Test(life_cycle, does_not_start_when_a_process_ends_before_it_is_ready)
{
    direct("web", "exits");
    start();
    expect_line("broker: web[0] ended before it was ready");
    cr_assert_eq(exit_code(), 111);
}

Test(life_cycle, replaces_a_worker_that_breaks_the_protocol)
{
    direct("web", "babbles");
    start();
    expect_line("ready url=");
    expect_line("broker: web[0] given up");
    expect_line("restart_in_ms=100");
    expect_line("broker: web[0] given up");
    expect_line("restart_in_ms=200");
    expect_line("broker: web[0] given up");
    stop();
}

/* Descriptors come from the broker, and from a shim that brings its listener. */
Test(life_cycle, closes_what_descriptors_it_is_sent)
{
    direct("web", "slips");
    start();
    expect_line("ready url=");
    expect_line("broker: web[0] given up");
    expect_line("web: descriptor closed");
    stop();
}

Test(life_cycle, closes_what_descriptors_a_shim_sends_with_other_words)
{
    direct("browser-shim", "slips");
    start_with("--headless");
    expect_line("ready url=");
    expect_line("broker: browser-shim given up");
    expect_line("browser-shim: descriptor closed");
    stop();
}

Test(life_cycle, replaces_a_worker_that_keyd_cut_off)
{
    direct("keyd", "cuts");
    start();
    expect_line("ready url=");
    expect_line("broker: handle cut id=1 label='web[0]'");
    expect_line("broker: web[0] given up");
    expect_line("broker: web[0] ready");
    stop();
}

Test(life_cycle, gives_new_identities_when_keyd_died)
{
    direct("keyd", "dies");
    start();
    expect_line("web: identity");
    expect_line("ready url=");
    (void)ask("status");
    expect_line("broker: keyd ended");
    expect_line("web: identity");
    stop();
}

Test(life_cycle, kills_a_process_that_does_not_stop)
{
    direct("web", "deaf");
    start();
    expect_line("ready url=");
    stop();
}

Test(life_cycle, answers_a_status_although_a_worker_does_not)
{
    direct("web", "mute");
    start();
    expect_line("ready url=");
    const char *status = ask("status --json");
    cr_assert_not_null(strstr(status, "\"handshakes\": 0"), "%s", status);
    stop();
}

Test(life_cycle, counts_the_uses_of_handles_that_are_too_many_to_log)
{
    direct("keyd", "reports");
    start();
    expect_line("too many uses of handles to log them all withheld=");
    stop();
}

Test(life_cycle, takes_all_with_it_when_it_is_killed)
{
    char byte;
    start();
    expect_line("ready url=");
    kill(broker, SIGKILL);
    waitpid(broker, NULL, 0);
    struct pollfd end = {.fd = lines, .events = POLLIN};
    while (poll(&end, 1, PATIENCE_MS) == 1 && read(lines, &byte, 1) > 0) {
    }
    cr_assert(end.revents & POLLHUP, "somebody still has its standard error");
}

static void read_link(char out[64], const char *process, int fd)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/fd/%d", process, fd);
    ssize_t len = readlink(path, out, 63);
    cr_assert_gt(len, 0, "%s", path);
    out[len] = '\0';
}

/* Or the next descriptors take their places, and log lines go into a channel. */
Test(life_cycle, fills_the_places_of_closed_standard_streams)
{
    char command[256], pid[16], name[64];
    cr_assert_eq(geteuid(), 0, "needs root: the broker hides its descriptors from its own user; run the tests as root");
    snprintf(command, sizeof command,
             "%s/broker --no-browser --listen 127.0.0.1:0 --workers 1 --runtime-dir %s <&- >&- 2>&- & echo $! >%s/pid",
             base, runtime, base);
    run(command);
    snprintf(command, sizeof command, "%s/pid", base);
    FILE *file = fopen(command, "r");
    cr_assert(file && fscanf(file, "%15s", pid) == 1);
    fclose(file);
    uint64_t deadline = clock_monotonic_ms() + PATIENCE_MS;
    while (!strstr(ask("status"), "keyd")) cr_assert_lt(clock_monotonic_ms(), deadline);
    for (int fd = 0; fd <= 2; fd++) {
        read_link(name, pid, fd);
        cr_assert_str_eq(name, "/dev/null", "%d: %s", fd, name);
    }
    kill(atoi(pid), SIGTERM);
    while (kill(atoi(pid), 0) == 0 && clock_monotonic_ms() < deadline) usleep(10000);
}

static long restarts_of(const char *name)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"name\": \"%s\"", name);
    const char *row = strstr(ask("status --json"), quoted);
    const char *restarts = row ? strstr(row, "\"restarts\": ") : NULL;
    cr_assert_not_null(restarts);
    return strtol(restarts + strlen("\"restarts\": "), NULL, 10);
}

/* What a shim that was taken over says too often costs it its own place, not keyd or web theirs. */
static void expect_shim_given_up(const char *script, const char *why)
{
    char line[128];
    cr_assert_eq(access("/usr/lib/chromium/chromium", X_OK), 0, "needs Chromium: run tools/bootstrap");
    direct("browser-shim", script);
    start_with("--headless");
    expect_line("ready url=");
    snprintf(line, sizeof line, "reason='%s'", why);
    expect_line(line);
    expect_line("broker: browser-shim ready");
    cr_assert_eq(restarts_of("keyd"), 0);
    cr_assert_eq(restarts_of("web[0]"), 0);
    stop();
}

Test(life_cycle, takes_one_listener_from_the_shim)
{
    expect_shim_given_up("listens-twice", "it brings a second listener");
}

Test(life_cycle, takes_one_ready_from_the_shim)
{
    expect_shim_given_up("ready-twice", "it is ready twice");
}
