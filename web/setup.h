/* A worker's first message, and what it brings. */
#ifndef KEYWARD_WEB_SETUP_H
#define KEYWARD_WEB_SETUP_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sandbox.h"
#include "web/http/site.h"
#include "web/worker.h"

struct setup {
    uint64_t id; /* of the message */
    struct http_site_config site;
    struct worker_config worker;
    struct sandbox_dir dirs[2]; /* what Landlock leaves */
    size_t num_dirs;
};

/* setup_receive waits for WEB_SETUP on the broker's channel, at most DEADLINE_START_MS, and names the process for its
 * log lines. The directories are in out->site. ERR_TIMEOUT, ERR_CLOSED, ERR_MALFORMED and the like with a diagnostic. */
MUST_CHECK enum err setup_receive(struct setup *out, int broker_fd, struct diag *diag);

/* setup_open_site opens the site in setup->site and puts it into setup->worker. */
MUST_CHECK enum err setup_open_site(struct setup *setup, struct diag *diag);

/* setup_answer_failed tells the broker why the worker exits, and the log if there is no broker. */
void setup_answer_failed(int broker_fd, uint64_t id, enum err err, const struct diag *diag);

#endif
