/* What both fuzz targets need around a session. */
#ifndef KEYWARD_TESTS_FUZZ_WEB_HTTP_FUZZ_SITE_H
#define KEYWARD_TESTS_FUZZ_WEB_HTTP_FUZZ_SITE_H

#include "web/http/site.h"
#include "web/session.h"

/* fuzz_site returns the one site: the built-in page, no uploads. The log goes nowhere in replays; run a fuzzer with
 * -close_fd_mask=2. */
struct http_site *fuzz_site(void);

const struct session_peer *fuzz_peer(void);

const struct session_host *fuzz_host(void);

#endif
