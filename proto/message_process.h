/* Messages with the shim and the spawner, and what any process says.
 * Include proto/message.h, which says what holds of all of them. */
#ifndef KEYWARD_PROTO_MESSAGE_PROCESS_H
#define KEYWARD_PROTO_MESSAGE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

enum browser_state {
    BROWSER_NONE = 0,
    BROWSER_STARTED,
    BROWSER_ENDED,
    BROWSER_SCREENSHOT, /* the screenshot's file is complete */
    BROWSER_SUPPLIED,   /* a new handle is where the browser finds it before it does anything with its key */
    BROWSER_NUM
};

/* The programs the spawner can start. */
enum program { PROGRAM_NONE = 0, PROGRAM_KEYD, PROGRAM_WEB, PROGRAM_SHIM, PROGRAM_NUM };

struct shim_setup {
    const char *browser; /* 1 to LIMIT_LABEL bytes */
    const char *url;     /* 1 to LIMIT_URL bytes */
    uint16_t port;       /* never 0 */
    uint16_t web_port;   /* never 0; another one than port: a gateway is between the browser and web */
    bool headless;
    bool has_screenshot;
    bool kiosk;
    const char *display; /* at most LIMIT_PATH bytes, as the next two */
    const char *wayland_display;
    const char *xauthority;
    uint32_t log_style; /* a set of base/log.h, below LIMIT_LOG_STYLES */
};

struct shim_browser {
    enum browser_state state;
    uint32_t pid;
    uint32_t status;
};

struct failed {
    const char *text; /* at most LIMIT_TEXT bytes; the encoder cuts and repairs it */
    uint32_t error;   /* enum err, not ERR_OK */
};

struct spawn {
    enum program program;
    uint32_t instance;
};

struct spawned {
    enum program program;
    uint32_t instance;
    uint32_t pid; /* never 0, as in the next two */
};

struct exited {
    uint32_t pid;
    uint32_t status;
};

struct kill_order {
    uint32_t pid;
    uint32_t signal; /* 1 to 64 */
};

#endif
