#include "web/http/page.h"

#include <http_parser.h>
#include <string.h>

#include "web/http/conditional.h"

static const struct page_resource *find_resource(const char *path)
{
    const struct page_resource *resource = page_resources;
    while (resource->path != NULL && strcmp(resource->path, path) != 0) resource++;
    return resource->path != NULL ? resource : NULL;
}

struct fault page_answer(struct exchange *exchange)
{
    const struct page_resource *resource = find_resource(exchange->request.target.path);
    if (resource == NULL) return (struct fault){HTTP_STATUS_NOT_FOUND, NULL};
    struct response *response = &exchange->response;
    response_add(response, "ETag", resource->etag);
    response_add(response, "Cache-Control", "no-cache");
    switch (conditional_read(&exchange->request, resource->etag, CONDITIONAL_NO_DATE)) {
    case CONDITIONAL_GO: response_set_text(response, HTTP_STATUS_OK, resource->type, resource->body); break;
    case CONDITIONAL_NOT_MODIFIED: response->status = HTTP_STATUS_NOT_MODIFIED; break;
    case CONDITIONAL_FAILED: return (struct fault){HTTP_STATUS_PRECONDITION_FAILED, NULL};
    }
    return (struct fault){0, NULL};
}
