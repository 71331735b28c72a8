/* Media types by a file name's extension. */
#ifndef KEYWARD_WEB_HTTP_MIME_H
#define KEYWARD_WEB_HTTP_MIME_H

#include <stdbool.h>

/* mime_type returns the Content-Type for a file of that name: a constant, application/octet-stream if the extension
 * is not known. */
const char *mime_type(const char *name);

/* mime_compresses says whether what has that type is worth compressing: text, and what is as redundant as text. */
bool mime_compresses(const char *type);

#endif
