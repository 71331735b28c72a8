/* Media types by a file name's extension. */
#ifndef KEYWARD_WEB_HTTP_MIME_H
#define KEYWARD_WEB_HTTP_MIME_H

/* mime_type returns the Content-Type for a file of that name: a constant, application/octet-stream if the extension
 * is not known. */
const char *mime_type(const char *name);

#endif
