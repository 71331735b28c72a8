#include "browser-shim/browser.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "browser-shim/browser_kind.h"
#include "browser-shim/layout.h"
#include "browser-shim/pin.h"

static const struct browser_kind *const kinds[] = {&browser_chromium, &browser_firefox, &browser_cog,
                                                   &browser_epiphany};

const struct browser_kind *browser_find(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i]->name, name) == 0) return kinds[i];
    }
    return NULL;
}

enum err browser_check(const char *name, struct diag *diag)
{
    const struct browser_kind *kind = browser_find(name);
    if (kind == NULL) {
        return diag_set(
            diag, ERR_INPUT,
            "browser '%s': not one that Keyward can start; use --browser chromium, firefox, cog or epiphany", name);
    }
    if (access(kind->program, X_OK) != 0) {
        return diag_set(diag, ERR_NOT_FOUND, "browser '%s': %s; install the package %s", kind->program, strerror(errno),
                        kind->package);
    }
    return ERR_OK;
}

void browser_argument(struct browser_command *command, const char *text)
{
    CHECK(command->num_arguments < BROWSER_MAX_ARGUMENTS);
    command->arguments[command->num_arguments++] = text;
}

void browser_variable(struct browser_command *command, const char *format, ...)
{
    char *text = command->room + command->room_used;
    size_t room = sizeof command->room - command->room_used;
    va_list values;
    va_start(values, format);
    int len = vsnprintf(text, room, format, values);
    va_end(values);
    CHECK(len >= 0 && (size_t)len < room && command->num_environment < BROWSER_MAX_ENVIRONMENT);
    command->room_used += (size_t)len + 1;
    command->environment[command->num_environment++] = text;
}

static void add_environment(struct browser_command *command, const struct shim_setup *setup)
{
    browser_variable(command, "HOME=%s", LAYOUT_HOME);
    browser_variable(command, "XDG_RUNTIME_DIR=%s", LAYOUT_RUNTIME);
    browser_variable(command, "PATH=/usr/bin:/bin");
    browser_variable(command, "LANG=C.UTF-8");
    if (setup->wayland_display[0] != '\0') browser_variable(command, "WAYLAND_DISPLAY=%s", LAYOUT_WAYLAND);
    if (setup->display[0] != '\0') browser_variable(command, "DISPLAY=%s", setup->display);
    if (setup->xauthority[0] != '\0') browser_variable(command, "XAUTHORITY=%s", LAYOUT_XAUTHORITY);
}

void browser_command_init(struct browser_command *out, const struct browser_kind *kind, const struct shim_setup *setup)
{
    *out = (struct browser_command){0};
    if (kind->runner != NULL) {
        browser_argument(out, kind->runner);
        browser_argument(out, "--");
    }
    browser_argument(out, kind->program);
    add_environment(out, setup);
    kind->describe(out, setup);
}

/* Leaves the handle, the supply, the report and /dev/null, at 3, 4, 5 and 0 to 2; without a handle /dev/null at 3 and 4 as well,
 * until the execution. What was inherited may be at any of these numbers, so everything first moves out of the way. report_fd is
 * where the report is, whatever happens. */
static bool keep_descriptors(int handle_fd, int supply_fd, int *report_fd)
{
    enum { REPORT_FD = BROWSER_SUPPLY_FD + 1, ABOVE = 16 };
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int report = fcntl(*report_fd, F_DUPFD_CLOEXEC, ABOVE);
    const int keeps = handle_fd >= 0 ? 0 : O_CLOEXEC;
    int handle = fcntl(handle_fd >= 0 ? handle_fd : null, F_DUPFD_CLOEXEC, ABOVE);
    int supply = fcntl(supply_fd >= 0 ? supply_fd : null, F_DUPFD_CLOEXEC, ABOVE);
    if (report < 0 || handle < 0 || supply < 0 || null < 0) return false;
    *report_fd = report;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (null != fd && dup2(null, fd) < 0) return false;
    }
    if (dup3(handle, BROWSER_HANDLE_FD, keeps) < 0 || dup3(supply, BROWSER_SUPPLY_FD, keeps) < 0) return false;
    if (dup3(report, REPORT_FD, O_CLOEXEC) < 0) return false;
    *report_fd = REPORT_FD;
    return close_range(REPORT_FD + 1, ~0u, 0) == 0;
}

/* execve's arrays are not const for old programs' sake only. */
static char *const *as_vector(const char *const *strings)
{
    union {
        const char *const *in;
        char *const *out;
    } vector = {.in = strings};
    return vector.out;
}

/* The launcher's signal mask and ignored signals would outlive the execution. */
static void reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
}

_Noreturn void browser_become(const struct browser_command *command, int handle_fd, int supply_fd,
                              const struct link *report)
{
    struct diag diag = {0};
    struct link moved = *report;
    enum err err = ERR_SYSTEM;
    reset_signals();
    (void)setsid();
    if (keep_descriptors(handle_fd, supply_fd, &moved.fd)) {
        err = handle_fd >= 0 ? pin_handle(BROWSER_HANDLE_FD, "the browser", &diag) : ERR_OK;
    } else {
        err = diag_set(&diag, ERR_SYSTEM, "browser: cannot arrange its descriptors: %s", strerror(errno));
    }
    if (err == ERR_OK) {
        execve(command->arguments[0], as_vector(command->arguments), as_vector(command->environment));
        err = diag_set(&diag, ERR_SYSTEM, "browser '%s': %s", command->arguments[0], strerror(errno));
    }
    struct msg failed = {.kind = MSG_FAILED, .failed = {.text = diag.text, .error = (uint32_t)err}};
    (void)!link_send(&moved, &failed, NULL, 0);
    _exit(err_exit_code(err));
}
