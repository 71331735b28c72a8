/* The built-in page: the files of web/http/app, put into the program when it is built. */
#ifndef KEYWARD_WEB_HTTP_PAGE_H
#define KEYWARD_WEB_HTTP_PAGE_H

#include "web/http/exchange.h"

struct page_resource {
    const char *path;
    const char *type;
    struct bytes body;
    const char *etag; /* with its quotes */
};

/* In the generated page_data.c; ends with a row without a path. */
extern const struct page_resource page_resources[];

/* page_answer serves one of the resources. */
struct fault page_answer(struct exchange *exchange);

#endif
