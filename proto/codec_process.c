/* What the broker, the browser's shim and the spawner say to each other. */
#include "base/err.h"
#include "proto/codec_internal.h"
#include "proto/field.h"

/* ---- The shim ---------------------------------------------------------------------------------------------------- */

bool codec_check_shim_setup(const struct msg *msg)
{
    const struct shim_setup *setup = &msg->shim_setup;
    return setup->log_style < LIMIT_LOG_STYLES && field_text(setup->browser, 1, LIMIT_LABEL) &&
           field_text(setup->url, 1, LIMIT_URL) && setup->port != 0 && setup->web_port != 0 &&
           field_text(setup->display, 0, LIMIT_PATH) && field_text(setup->wayland_display, 0, LIMIT_PATH) &&
           field_text(setup->xauthority, 0, LIMIT_PATH);
}

enum err codec_decode_shim_setup(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__ShimSetup *from = (const Keyward__Wire__ShimSetup *)wire;
    if (from->port > UINT16_MAX || from->web_port > UINT16_MAX) return ERR_MALFORMED;
    out->shim_setup = (struct shim_setup){
        .browser = from->browser,
        .url = from->url,
        .port = (uint16_t)from->port,
        .web_port = (uint16_t)from->web_port,
        .headless = from->headless != 0,
        .log_style = from->log_style,
        .has_screenshot = from->has_screenshot != 0,
        .kiosk = from->kiosk != 0,
        .display = from->display,
        .wayland_display = from->wayland_display,
        .xauthority = from->xauthority,
    };
    return ERR_OK;
}

enum err codec_encode_shim_setup(const struct packer *packer, const struct msg *msg)
{
    const struct shim_setup *from = &msg->shim_setup;
    Keyward__Wire__ShimSetup to;
    keyward__wire__shim_setup__init(&to);
    to.browser = wire_text(from->browser);
    to.url = wire_text(from->url);
    to.port = from->port;
    to.web_port = from->web_port;
    to.headless = from->headless;
    to.has_screenshot = from->has_screenshot;
    to.kiosk = from->kiosk;
    to.display = wire_text(from->display);
    to.wayland_display = wire_text(from->wayland_display);
    to.xauthority = wire_text(from->xauthority);
    to.log_style = msg->shim_setup.log_style;
    return codec_pack(packer, &to.base);
}

bool codec_check_shim_launch(const struct msg *msg)
{
    return msg->shim_launch != 0;
}

enum err codec_decode_shim_launch(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__ShimLaunch *from = (const Keyward__Wire__ShimLaunch *)wire;
    out->shim_launch = from->handle;
    return ERR_OK;
}

enum err codec_encode_shim_launch(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__ShimLaunch to;
    keyward__wire__shim_launch__init(&to);
    to.handle = msg->shim_launch;
    return codec_pack(packer, &to.base);
}

bool codec_check_shim_renew(const struct msg *msg)
{
    return msg->shim_renew != 0;
}

enum err codec_decode_shim_renew(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__ShimRenew *from = (const Keyward__Wire__ShimRenew *)wire;
    out->shim_renew = from->handle;
    return ERR_OK;
}

enum err codec_encode_shim_renew(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__ShimRenew to;
    keyward__wire__shim_renew__init(&to);
    to.handle = msg->shim_renew;
    return codec_pack(packer, &to.base);
}

bool codec_check_shim_browser(const struct msg *msg)
{
    unsigned state = (unsigned)msg->shim_browser.state;
    return state > BROWSER_NONE && state < BROWSER_NUM &&
           (msg->shim_browser.pid == 0 || field_pid(msg->shim_browser.pid));
}

enum err codec_decode_shim_browser(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__ShimBrowser *from = (const Keyward__Wire__ShimBrowser *)wire;
    out->shim_browser.state = (enum browser_state)from->state;
    out->shim_browser.pid = from->pid;
    out->shim_browser.status = from->status;
    return ERR_OK;
}

enum err codec_encode_shim_browser(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__ShimBrowser to;
    keyward__wire__shim_browser__init(&to);
    to.state = (uint32_t)msg->shim_browser.state;
    to.pid = msg->shim_browser.pid;
    to.status = msg->shim_browser.status;
    return codec_pack(packer, &to.base);
}

/* ---- Any of them ------------------------------------------------------------------------------------------------- */

bool codec_check_pong(const struct msg *msg)
{
    (void)msg;
    return true;
}

enum err codec_decode_pong(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    out->pong = ((const Keyward__Wire__Pong *)wire)->browser_requests;
    return ERR_OK;
}

enum err codec_encode_pong(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__Pong to;
    keyward__wire__pong__init(&to);
    to.browser_requests = msg->pong;
    return codec_pack(packer, &to.base);
}

bool codec_check_failed(const struct msg *msg)
{
    /* The text is repaired where it is encoded. */
    return msg->failed.error > ERR_OK && msg->failed.error <= ERR_TIMEOUT;
}

enum err codec_decode_failed(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__Failed *from = (const Keyward__Wire__Failed *)wire;
    if (!field_text(from->text, 0, LIMIT_TEXT)) return ERR_MALFORMED;
    out->failed.text = from->text;
    out->failed.error = from->error;
    return ERR_OK;
}

enum err codec_encode_failed(const struct packer *packer, const struct msg *msg)
{
    /* A diagnostic may quote a file's name, which may be any bytes. To say less is better than to say nothing. */
    char text[LIMIT_TEXT + 1];
    field_text_repair(text, sizeof text, msg->failed.text);
    Keyward__Wire__Failed to;
    keyward__wire__failed__init(&to);
    to.text = text;
    to.error = msg->failed.error;
    return codec_pack(packer, &to.base);
}

/* ---- The spawner ------------------------------------------------------------------------------------------------- */

static bool check_program(enum program program)
{
    return (unsigned)program > PROGRAM_NONE && (unsigned)program < PROGRAM_NUM;
}

bool codec_check_spawn(const struct msg *msg)
{
    return check_program(msg->spawn.program);
}

enum err codec_decode_spawn(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__Spawn *from = (const Keyward__Wire__Spawn *)wire;
    out->spawn.program = (enum program)from->program;
    out->spawn.instance = from->instance;
    return ERR_OK;
}

enum err codec_encode_spawn(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__Spawn to;
    keyward__wire__spawn__init(&to);
    to.program = (uint32_t)msg->spawn.program;
    to.instance = msg->spawn.instance;
    return codec_pack(packer, &to.base);
}

bool codec_check_spawned(const struct msg *msg)
{
    return check_program(msg->spawned.program) && field_pid(msg->spawned.pid);
}

enum err codec_decode_spawned(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__Spawned *from = (const Keyward__Wire__Spawned *)wire;
    out->spawned.program = (enum program)from->program;
    out->spawned.instance = from->instance;
    out->spawned.pid = from->pid;
    return ERR_OK;
}

enum err codec_encode_spawned(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__Spawned to;
    keyward__wire__spawned__init(&to);
    to.program = (uint32_t)msg->spawned.program;
    to.instance = msg->spawned.instance;
    to.pid = msg->spawned.pid;
    return codec_pack(packer, &to.base);
}

bool codec_check_exited(const struct msg *msg)
{
    return field_pid(msg->exited.pid);
}

enum err codec_decode_exited(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__Exited *from = (const Keyward__Wire__Exited *)wire;
    out->exited.pid = from->pid;
    out->exited.status = from->status;
    return ERR_OK;
}

enum err codec_encode_exited(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__Exited to;
    keyward__wire__exited__init(&to);
    to.pid = msg->exited.pid;
    to.status = msg->exited.status;
    return codec_pack(packer, &to.base);
}

bool codec_check_kill(const struct msg *msg)
{
    /* Never 0 or -1, which would mean more than one process. */
    return field_pid(msg->kill.pid) && msg->kill.signal >= 1 && msg->kill.signal <= 64;
}

enum err codec_decode_kill(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__Kill *from = (const Keyward__Wire__Kill *)wire;
    out->kill.pid = from->pid;
    out->kill.signal = from->signal;
    return ERR_OK;
}

enum err codec_encode_kill(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__Kill to;
    keyward__wire__kill__init(&to);
    to.pid = msg->kill.pid;
    to.signal = msg->kill.signal;
    return codec_pack(packer, &to.base);
}

/* ---- The loader -------------------------------------------------------------------------------------------------- */

bool codec_check_loaded(const struct msg *msg)
{
    const struct bytes path = msg->loaded;
    return path.len >= 1 && path.len <= LIMIT_PATH;
}

enum err codec_decode_loaded(struct codec_arena *arena, struct msg *out, const ProtobufCMessage *wire)
{
    (void)arena;
    const Keyward__Wire__Loaded *from = (const Keyward__Wire__Loaded *)wire;
    out->loaded = bytes_of_wire(from->path);
    return ERR_OK;
}

enum err codec_encode_loaded(const struct packer *packer, const struct msg *msg)
{
    Keyward__Wire__Loaded to;
    keyward__wire__loaded__init(&to);
    to.path = wire_bytes(msg->loaded);
    return codec_pack(packer, &to.base);
}
