/* What a client would rather have (RFC 9110, 12.4 and 12.5): content codings and media types, with their weights. What
 * is not understood of a field is left out; nothing here refuses a request. */
#ifndef KEYWARD_WEB_HTTP_NEGOTIATE_H
#define KEYWARD_WEB_HTTP_NEGOTIATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

enum coding { CODING_BR, CODING_GZIP, CODING_IDENTITY, CODING_NUM };

/* What Accept-Encoding says. Zero state: there is no such field. */
struct codings {
    unsigned weights[CODING_NUM]; /* thousandths */
    bool named[CODING_NUM];
    unsigned others; /* the weight of "*" */
    bool others_named;
};

/* negotiate_codings adds what one Accept-Encoding field says. */
void negotiate_codings(struct codings *codings, struct bytes field);

/* negotiate_order writes the codings that may be used, best first, and returns how many; equals in the order of the
 * enum. Identity is always among them, behind the others unless it was given a greater weight: also a client that
 * excludes it is better served with it than not at all (RFC 9110, 12.4.1). Who says nothing gets it alone. */
size_t negotiate_order(enum coding out[CODING_NUM], const struct codings *codings);

/* negotiate_wants_html says whether an Accept field names text/html. A mere wildcard does not: that is what scripts
 * send. */
bool negotiate_wants_html(struct bytes field);

#endif
