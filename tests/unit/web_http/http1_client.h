/* Reads HTTP/1 responses back, for the tests. */
#ifndef KEYWARD_TESTS_UNIT_WEB_HTTP_HTTP1_CLIENT_H
#define KEYWARD_TESTS_UNIT_WEB_HTTP_HTTP1_CLIENT_H

#include "rig.h"

struct answer {
    unsigned status;
    char *head; /* status line and fields, NUL-terminated */
    char *body;
    size_t body_len;
};

/* answer_read takes the response at *at and moves *at behind it. With "head" the response is one to HEAD. Returns false
 * at the end of the text; fails the test for anything that is not a response. */
bool answer_read(struct answer *out, const struct text *text, size_t *at, bool head);
void answer_free(struct answer *answer);

/* answer_field returns the value of a field, NULL if there is none; valid until the next call. */
const char *answer_field(const struct answer *answer, const char *name);

/* answer_ask sends one request to the rig's session, and takes its one answer; a session that then wants to close is
 * replaced by a new one. "fields" are whole lines. */
struct answer answer_ask(struct rig *rig, const char *method, const char *target, const char *fields);

/* statuses writes all statuses of a conversation without HEAD, such as "200 404". */
void statuses(char *out, size_t out_len, const struct text *text);

/* without_date replaces what differs from second to second, and the requests' names. */
void without_date(struct text *text);

#endif
