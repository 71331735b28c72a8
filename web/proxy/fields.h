/* Which header fields pass, and which are this server's to say. */
#ifndef KEYWARD_WEB_PROXY_FIELDS_H
#define KEYWARD_WEB_PROXY_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/limits.h"

/* What the Connection fields of one message name (RFC 9110, 7.6.1). Zero state: nothing. */
struct fields_nominated {
    char list[LIMIT_PROXY_CONNECTION];
    size_t len;
};

/* fields_nominate adds one Connection field's value; false: too long. */
bool fields_nominate(struct fields_nominated *nominated, const char *value);

/* fields_is_nominated says whether the list has the name, in any case. */
bool fields_is_nominated(const struct fields_nominated *nominated, const char *name);

/* fields_request_passes says whether a client's field goes to the application. Fields for one connection do not, nor what
 * this server says about the client, in any spelling that an application may take for it: CGI and its heirs make
 * X_Client_Cert_Subject and X-Client-Cert-Subject the same variable. */
bool fields_request_passes(const struct fields_nominated *nominated, const char *name);

/* fields_answer_passes says whether an application's field goes to the client. */
bool fields_answer_passes(const struct fields_nominated *nominated, const char *name);

/* The same of a field behind the body: what frames, routes, authorizes, caches or explains a message has its place before it
 * (RFC 9110, 6.5.1), and whoever reads it behind has been fooled about what it is. */
bool fields_request_trailer_passes(const struct fields_nominated *nominated, const char *name);
bool fields_answer_trailer_passes(const struct fields_nominated *nominated, const char *name);

#endif
