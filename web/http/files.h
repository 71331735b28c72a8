/* Static files beneath the root directory. */
#ifndef KEYWARD_WEB_HTTP_FILES_H
#define KEYWARD_WEB_HTTP_FILES_H

#include "web/http/exchange.h"

/* files_answer serves the exchange's path: regular files, index.html for a directory, nothing whose name begins with a
 * dot. Symbolic links are followed as long as they stay beneath the root (openat2(2), RESOLVE_BENEATH).
 *
 * - NAME.br and NAME.gz beside NAME are served in its place to who accepts them, if they are regular files, not older
 *   than NAME, and NAME's type is one that compresses. NAME itself has to be there.
 * - Range: one range, or several as multipart/byteranges (range.h), of what was selected by then.
 * - Names with a hash in them (hashed_name.h) may be kept for ever, everything else is to be asked for each time.
 * - With the site's "spa", who asks for text/html at a path that is not there and whose last part has no dot gets the
 *   root's index.html. */
struct fault files_answer(struct exchange *exchange);

#endif
