/* All that a running system is made of and that has to be opened or bound while the broker still may: programs,
 * listeners, directories, files, users. */
#ifndef KEYWARD_BROKER_RESOURCES_H
#define KEYWARD_BROKER_RESOURCES_H

#include "base/bytes.h"
#include "broker/brought.h"
#include "broker/config.h"
#include "broker/opener.h"
#include "broker/programs.h"
#include "broker/staple_files.h"
#include "broker/trust_files.h"
#include "broker/upstream_lookup.h"
#include "broker/user.h"

/* A browser that the shim knows how to start. */
struct browser_program {
    enum config_browser choice;
    const char *name; /* as the shim knows it */
    const char *path;
    const char *package;
    unsigned can; /* a set of the next */
};

enum {
    BROWSER_CAN_SIGN = 1,     /* by a PKCS#11 module; otherwise a gateway does it for the browser */
    BROWSER_CAN_HEADLESS = 2, /* run without a screen */
    BROWSER_CAN_X11 = 4,
    BROWSER_CAN_WAYLAND = 8,
    BROWSER_CAN_PICTURES = 16,
};

/* Where the browser shows itself, unless it is headless; empty strings where there is none. */
struct display {
    char x11[LIMIT_PATH + 1];        /* DISPLAY */
    char wayland[LIMIT_PATH + 1];    /* WAYLAND_DISPLAY as an absolute path */
    char xauthority[LIMIT_PATH + 1]; /* XAUTHORITY */
};

struct resources {
    struct programs programs;
    struct user broker;
    struct user users[PROGRAM_NUM];
    bool with_browser;
    const struct browser_program *browser; /* which one */
    const char *browserless;               /* why there is none although one was wanted, in words for people; or NULL */
    struct display display;
    int streams[LIMIT_STREAMS]; /* as in the configuration; -1 beyond */
    int listener;               /* these six: -1 where not wanted */
    int echo;
    int root;
    int uploads;
    int quota; /* LIMIT_QUOTA_PAGE bytes that the workers share, for the uploads directory's quota */
    int screenshot;
    struct trust_files trust;
    struct brought server; /* keys and certificates */
    struct brought client;
    struct staple_files staples;
    struct brought *servers; /* by name, as the configuration has them: SERVER_CERTIFICATE's numbers are one more */
    size_t num_servers;
    struct bytes proxy_cas[LIMIT_PROXIES]; /* DER, for the proxies with the same index; empty: it needs none */
    struct upstream_addresses upstreams[LIMIT_PROXIES]; /* where those that are elsewhere are, with the same index */
    enum tls_mode mode;                                 /* of the host's listener */
    char listener_address[ADDRESS_TEXT];
    char echo_address[ADDRESS_TEXT];
    char stream_addresses[LIMIT_STREAMS][ADDRESS_TEXT];
    char url[LIMIT_URL];  /* for people: the host's, or the browser's where the host has none */
    char page[LIMIT_URL]; /* what the browser opens, inside its namespace */
    uint16_t page_port;
    uint16_t web_port; /* where web listens in there: the same, or another one if a gateway listens there */
};

enum resources_use { RESOURCES_RUN, RESOURCES_CHECK };

/* resources_open opens all that config names. For RESOURCES_CHECK nothing is made or cut short. Without a screen or a
 * Chromium it says so in a log line and leaves the browser out, if config allows that. programs_dir as for programs_open.
 * ERR_INPUT and ERR_SYSTEM with a diagnostic. */
MUST_CHECK enum err resources_open(struct resources *out, struct config *config, enum resources_use use,
                                   const char *programs_dir, struct diag *diag);

/* resources_open_content opens what is served and with which keys: root, uploads, client CAs and their lists, server and client. The rest of out is
 * there: its users say whom the directories are for. On failure what was opened stays open. */
MUST_CHECK enum err resources_open_content(struct resources *out, const struct config *config, struct opener *opener,
                                           struct diag *diag);

/* resources_reopen makes out of what there is now, which all else is shared with, and content that is opened anew. On failure there is
 * nothing to close. */
MUST_CHECK enum err resources_reopen(struct resources *out, const struct resources *current,
                                     const struct config *config, struct opener *opener, struct diag *diag);
void resources_close_content(struct resources *resources);

/* resources_stop_listening closes the listeners here: once the workers have closed theirs, who connects is refused. */
void resources_stop_listening(struct resources *resources);

void resources_close(struct resources *resources);

#endif
