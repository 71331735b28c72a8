/* What the broker and the browser's shim say to each other. */
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "broker/broker.h"
#include "broker/listener.h"

void shim_begin(struct broker *broker, struct process *shim)
{
    const struct resources *resources = broker->resources;
    const struct display *display = &resources->display;
    bool pictures = resources->screenshot >= 0 && !broker->browser.pictured;
    const int fds[2] = {resources->programs.module, resources->screenshot};
    const struct msg msg = {
        .kind = MSG_SHIM_SETUP,
        .shim_setup =
            {
                .browser = resources->browser->name,
                .url = resources->page,
                .port = resources->page_port,
                .web_port = resources->web_port,
                .headless = broker->config->headless,
                .log_style = broker->log_style,
                .kiosk = !broker->config->window && !pictures, /* Chromium takes pictures by its developer tools */
                .has_screenshot = pictures,
                .display = display->x11,
                .wayland_display = display->wayland,
                .xauthority = display->xauthority,
            },
    };
    process_send(broker, shim, &msg, fds, pictures ? 2 : 1);
}

/* Once in the shim's life: each one is work for every web worker. */
static void take_listener(struct broker *broker, struct process *shim, struct packet_extra *extra)
{
    struct diag why = {0};
    AUTO_FD fd = packet_extra_take(extra, 0);
    if (broker->page_listener >= 0) {
        process_give_up(broker, shim, "it brings a second listener");
        return;
    }
    if (listener_check(fd, broker->resources->web_port, broker->host_cookie, &why) != ERR_OK) {
        log_error("%s brings a listener that is refused: %s", shim->name, why.text);
        process_give_up(broker, shim, "its listener is not what it has to be");
        return;
    }
    broker->page_listener = auto_keep_fd(&fd);
    web_offer(broker, SLOT_BROWSER);
}

static void take_back(struct broker *broker, uint64_t handle, const char *why)
{
    if (handle == 0) return;
    audit_handle(broker, AUDIT_REVOKED, handle, why);
    keyd_revoke(broker, handle);
}

static void take_handles_back(struct broker *broker, const char *why)
{
    struct browser *browser = &broker->browser;
    take_back(broker, browser->handle, why);
    take_back(broker, browser->former, why);
    browser->pid = 0;
}

/* What the browser's handle is for: a browser shows digests alone, its gateway whole handshakes with the page's server. */
static struct keyd_grant terms_of(const struct broker *broker, const struct process *shim)
{
    if ((broker->resources->browser->can & BROWSER_CAN_SIGN) != 0)
        return (struct keyd_grant){.purpose = shim->row->grant, .label = "browser"};
    return (struct keyd_grant){.purpose = PURPOSE_GATEWAY, .label = "browser-gateway", .server = "localhost"};
}

void shim_launch(struct broker *broker)
{
    AUTO_FD handle = -1;
    struct browser *browser = &broker->browser;
    struct process *shim = broker_shim(broker);
    if (!shim || shim->life.state != LIFE_RUNNING || broker->page_listener < 0) return;
    if (!broker->identity.present || broker->stopping || browser->pictured) return;
    take_handles_back(broker, "its browser is started afresh");
    const struct keyd_grant terms = terms_of(broker, shim);
    enum err err = keyd_grant(broker, &browser->handle, &handle, &terms);
    if (err != ERR_OK) {
        uint32_t wait = life_ended(&browser->life, clock_monotonic_ms());
        log_error("browser not started: no handle error=%s retry_in_ms=%u", err_name(err), (unsigned)wait);
        return;
    }
    audit_granted(broker, browser->handle, &terms, -1);
    life_started(&browser->life, clock_monotonic_ms());
    const struct msg msg = {.kind = MSG_SHIM_LAUNCH, .id = ++broker->last_id, .shim_launch = browser->handle};
    process_send(broker, shim, &msg, &handle, 1);
}

/* The browser closes the old handle when it has found the new one, which it looks for when it next needs its key. Whoever
 * renews twice meanwhile takes the oldest away. */
enum err shim_renew(struct broker *broker)
{
    AUTO_FD end = -1;
    uint64_t handle = 0;
    struct browser *browser = &broker->browser;
    struct process *shim = broker_shim(broker);
    if (!shim || shim->life.state != LIFE_RUNNING || browser->life.state != LIFE_RUNNING || browser->pictured ||
        browser->pid == 0)
        return ERR_NOT_FOUND;
    struct keyd_grant terms = terms_of(broker, shim);
    terms.pid = browser->pid;
    enum err err = keyd_grant(broker, &handle, &end, &terms);
    if (err != ERR_OK) return err;
    take_back(broker, browser->former, "its browser has been given two others since");
    browser->former = browser->handle;
    browser->handle = handle;
    handles_find(&broker->handles, handle)->pinned_pid = browser->pid;
    audit_granted(broker, handle, &terms, -1);
    log_line("browser has a new handle id=%llu pid=%u", (unsigned long long)handle, (unsigned)browser->pid);
    const struct msg msg = {.kind = MSG_SHIM_RENEW, .id = ++broker->last_id, .shim_renew = handle};
    process_send(broker, shim, &msg, &end, 1);
    return ERR_OK;
}

/* It is killed when its back-off is over: the launcher then makes place for the next one. */
void shim_restart(struct broker *broker, const char *why)
{
    audit_ended(broker, "browser", 0, why);
    uint32_t wait = life_ended(&broker->browser.life, clock_monotonic_ms());
    log_error("browser given up reason=%s restart_in_ms=%u", log_quote(why), (unsigned)wait);
}

void shim_supply(struct broker *broker)
{
    enum err err = shim_renew(broker);
    if (err == ERR_OK) {
        broker->browser.supplied_by = clock_monotonic_ms() + DEADLINE_SUPPLY_MS;
        return;
    }
    if (err != ERR_NOT_FOUND) log_line("browser is started afresh: no new handle for it error=%s", err_name(err));
    shim_launch(broker);
}

void shim_supplied(struct broker *broker)
{
    if (broker->browser.supplied_by == 0) return;
    broker->browser.supplied_by = 0;
    web_identify_all(broker);
}

/* Of a browser that a SHIM_LAUNCH replaced, no end is told. One that was stopped the launcher has killed. */
static void take_end(struct broker *broker, uint32_t status)
{
    struct browser *browser = &broker->browser;
    const int code = (int)status;
    take_handles_back(broker, "its browser has ended");
    audit_ended(broker, "browser", 0, WIFSTOPPED(code) ? "stopped" : WIFSIGNALED(code) ? "killed" : "ended");
    if (browser->pictured) {
        life_reset(&browser->life);
        return;
    }
    uint32_t wait = life_ended(&browser->life, clock_monotonic_ms());
    if (WIFSTOPPED(code))
        log_error("browser was stopped and is killed signal=%d restart_in_ms=%u", WSTOPSIG(code), (unsigned)wait);
    else
        log_line("browser ended %s=%d restart_in_ms=%u", WIFSIGNALED(code) ? "signal" : "exit_code",
                 WIFSIGNALED(code) ? WTERMSIG(code) : WEXITSTATUS(code), (unsigned)wait);
}

/* News of a browser that nobody has asked for changes nothing and is not worth a line. */
static void take_browser(struct broker *broker, const struct shim_browser *news)
{
    const struct browser *browser = &broker->browser;
    if (browser->life.state != LIFE_STARTING && browser->life.state != LIFE_RUNNING) return;
    switch (news->state) {
    case BROWSER_STARTED:
        if (browser->life.state == LIFE_RUNNING) break;
        life_ready(&broker->browser.life, clock_monotonic_ms());
        audit_started(broker, "browser", 0);
        log_line("browser started pid_inside=%u", (unsigned)news->pid);
        break;
    case BROWSER_SCREENSHOT:
        if (browser->pictured || broker->resources->screenshot < 0) break;
        broker->browser.pictured = true;
        log_line("screenshot complete file=%s", log_quote(broker->config->screenshot));
        break;
    case BROWSER_SUPPLIED: shim_supplied(broker); break;
    case BROWSER_ENDED:
        take_end(broker, news->status);
        shim_supplied(broker);
        break;
    case BROWSER_NONE:
    case BROWSER_NUM: break;
    }
}

/* Once as well: each one would be a new handle, which is work for keyd. */
static void take_ready(struct broker *broker, struct process *shim)
{
    if (broker->page_listener < 0) {
        process_give_up(broker, shim, "it is ready without a listener");
    } else if (shim->life.state == LIFE_RUNNING) {
        process_give_up(broker, shim, "it is ready twice");
    } else {
        process_ready(broker, shim);
        shim_launch(broker);
    }
}

void shim_answer(struct broker *broker, struct process *shim, const struct msg *msg, struct packet_extra *extra)
{
    if (msg->kind == MSG_SHIM_LISTENER) take_listener(broker, shim, extra);
    if (msg->kind == MSG_SHIM_BROWSER) take_browser(broker, &msg->shim_browser);
    if (msg->kind == MSG_READY) take_ready(broker, shim);
}

void shim_ended(struct broker *broker)
{
    struct browser *browser = &broker->browser;
    take_handles_back(broker, "its browser's keeper has ended");
    life_reset(&browser->life);
    shim_supplied(broker);
    if (broker->page_listener >= 0) close(broker->page_listener);
    broker->page_listener = -1;
}
