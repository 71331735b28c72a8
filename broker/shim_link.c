/* What the broker and the browser's shim say to each other. */
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "broker/broker.h"
#include "broker/listener.h"

#define BROWSER "chromium"

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
                .browser = BROWSER,
                .url = resources->page,
                .port = resources->page_port,
                .headless = broker->config->headless,
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
    if (listener_check(fd, broker->resources->page_port, broker->host_cookie, &why) != ERR_OK) {
        log_line("%s brings a listener that is refused: %s", shim->name, why.text);
        process_give_up(broker, shim, "its listener is not what it has to be");
        return;
    }
    broker->page_listener = auto_keep_fd(&fd);
    web_offer(broker, SLOT_BROWSER);
}

static void take_handle_back(struct broker *broker, const char *why)
{
    if (broker->browser.handle == 0) return;
    audit_handle(broker, AUDIT_REVOKED, broker->browser.handle, why);
    keyd_revoke(broker, broker->browser.handle);
}

void shim_launch(struct broker *broker)
{
    AUTO_FD handle = -1;
    struct browser *browser = &broker->browser;
    struct process *shim = broker_shim(broker);
    if (!shim || shim->life.state != LIFE_RUNNING || broker->page_listener < 0) return;
    if (!broker->identity.present || broker->stopping || browser->pictured) return;
    take_handle_back(broker, "its browser is started afresh");
    const struct keyd_grant terms = {.purpose = shim->row->grant, .label = "browser"};
    enum err err = keyd_grant(broker, &browser->handle, &handle, &terms);
    if (err != ERR_OK) {
        uint32_t wait = life_ended(&browser->life, clock_monotonic_ms());
        log_line("browser not started: no handle error=%s retry_in_ms=%u", err_name(err), (unsigned)wait);
        return;
    }
    audit_granted(broker, browser->handle, &terms, -1);
    life_started(&browser->life, clock_monotonic_ms());
    const struct msg msg = {.kind = MSG_SHIM_LAUNCH, .id = ++broker->last_id, .shim_launch = browser->handle};
    process_send(broker, shim, &msg, &handle, 1);
}

/* Of a browser that a SHIM_LAUNCH replaced, no end is told. */
static void take_end(struct broker *broker, uint32_t status)
{
    struct browser *browser = &broker->browser;
    take_handle_back(broker, "its browser has ended");
    audit_ended(broker, "browser", 0, WIFSIGNALED((int)status) ? "killed" : "ended");
    if (browser->pictured) {
        life_reset(&browser->life);
        return;
    }
    int code = (int)status;
    uint32_t wait = life_ended(&browser->life, clock_monotonic_ms());
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
    case BROWSER_ENDED: take_end(broker, news->status); break;
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
    take_handle_back(broker, "its browser's keeper has ended");
    life_reset(&browser->life);
    if (broker->page_listener >= 0) close(broker->page_listener);
    broker->page_listener = -1;
}
