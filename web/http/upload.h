/* An upload: bytes into a temporary file of the uploads directory, which gets its name when all of them are there and
 * on the disk. */
#ifndef KEYWARD_WEB_HTTP_UPLOAD_H
#define KEYWARD_WEB_HTTP_UPLOAD_H

#include <stdbool.h>

#include "base/bytes.h"
#include "web/http/commit.h"
#include "web/http/request.h"
#include "web/http/site.h"
#include "web/http/target.h"

struct upload;

/* upload_name_is_valid: [A-Za-z0-9._-], not beginning with a dot, at most LIMIT_UPLOAD_NAME. */
bool upload_name_is_valid(const char *name);

/* upload_begin opens the temporary file. The name must be valid. The request's conditions become the upload's, and are
 * judged now and again when the file gets its name; its Content-Length is room that is taken now. A fault (412, 503,
 * 507 and others) leaves *out alone. */
struct fault upload_begin(struct upload **out, struct http_site *site, const char *name, struct request *request);

/* upload_write appends. After a fault only upload_abort is left. */
struct fault upload_write(struct upload *upload, struct bytes data);

/* upload_commit makes the file durable and visible, in the committer's thread; then done is called, unless upload_abort
 * was before. The upload is done's to free, by upload_abort. */
void upload_commit(struct upload *upload, void (*done)(void *context, const struct commit *result), void *context);

/* upload_fault says what a commit that was refused or has failed means for the client. */
struct fault upload_fault(const struct commit *result);

/* upload_abort frees the upload. What is not yet given to the committer leaves nothing behind; what is, is finished.
 * NULL is allowed. */
void upload_abort(struct upload *upload);

#endif
