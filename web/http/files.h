/* Static files beneath the root directory. */
#ifndef KEYWARD_WEB_HTTP_FILES_H
#define KEYWARD_WEB_HTTP_FILES_H

#include "web/http/exchange.h"

/* files_answer serves the exchange's path: regular files, index.html for a directory, nothing whose name begins with a
 * dot. Symbolic links are followed as long as they stay beneath the root (openat2(2), RESOLVE_BENEATH). */
struct fault files_answer(struct exchange *exchange);

#endif
