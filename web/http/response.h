/* A response before a protocol writes it down: status, header fields, and where its body comes from. */
#ifndef KEYWARD_WEB_HTTP_RESPONSE_H
#define KEYWARD_WEB_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "web/http/date.h"
#include "web/http/etag.h"
#include "web/http/header_table.h"
#include "web/http/open_files.h"
#include "web/http/request_id.h"

#define RESPONSE_OWN_FIELDS 14u
#define RESPONSE_FIELDS (RESPONSE_OWN_FIELDS + HEADER_TABLE_FIELDS + 1u + LIMIT_HTTP_FIELDS)
#define RESPONSE_LENGTH_TEXT 24u
#define RESPONSE_CONTENT_TYPE 80u
#define RESPONSE_CONTENT_RANGE (sizeof("bytes -/") + 3 * 20)

/* A part of a body: a text, then bytes of the file. */
struct response_piece {
    struct bytes text;
    uint64_t start; /* in the file */
    uint64_t len;
};

struct relay;

/* How an application's answer says where its body ends. */
enum response_framing {
    RESPONSE_KNOWN, /* length is what the body has */
    RESPONSE_OPEN,  /* nobody knows before its end */
};

struct response {
    unsigned status; /* 0: there is no response yet */
    struct header_table_field fields[RESPONSE_OWN_FIELDS];
    size_t num_fields;
    const struct header_table *common; /* what every response carries besides; NULL before response_finish */
    uint32_t own;                      /* bits: those of common that the application says itself */
    bool hsts;

    struct relay *relay;                      /* an application's answer, or NULL; the exchange's */
    const struct header_table_field *relayed; /* its fields, which live as long as the relay */
    size_t num_relayed;
    enum response_framing framing;

    uint64_t length;                     /* of the body; UINT64_MAX where nobody knows */
    uint64_t given;                      /* of it, so far */
    struct response_piece piece;         /* the body, if it is one piece */
    const struct response_piece *pieces; /* the pieces of a body of several, or NULL: piece is all */
    size_t num_done;                     /* pieces that are given */
    uint64_t piece_given;                /* of the piece that is being given */
    void *owned;                         /* memory to free, or NULL */
    struct open_file *file;              /* or NULL; the response is a holder */

    /* Room for values that are not constants. */
    char etag[ETAG_MAX];
    char last_modified[DATE_HTTP_LEN + 1];
    char date[DATE_HTTP_LEN + 1];
    char request_id[REQUEST_ID_LEN + 1]; /* "": it has none; reset leaves it */
    char length_text[RESPONSE_LENGTH_TEXT];
    char content_type[RESPONSE_CONTENT_TYPE];
    char content_range[RESPONSE_CONTENT_RANGE];
    char *location;
};

/* Which body a response carries. */
enum response_body {
    RESPONSE_WITH_BODY,
    RESPONSE_HEAD_ONLY, /* to HEAD: Content-Length as it would be, but no body */
};

void response_init(struct response *response);

/* response_reset drops what the response holds and makes it empty. */
void response_reset(struct response *response);

/* response_add adds a header field; both strings must live as long as the response. */
void response_add(struct response *response, const char *name, const char *value);

/* response_set_text makes a body of memory that lives as long as the response; "type" is its Content-Type. */
void response_set_text(struct response *response, unsigned status, const char *type, struct bytes body);

/* response_set_file makes a body of the first len bytes of a file, of which the response becomes one more holder. */
void response_set_file(struct response *response, const char *type, struct open_file *file, uint64_t len);

/* response_set_relay makes the answer that the relay has the response: its status, fields and body. */
void response_set_relay(struct response *response, struct relay *relay);

/* response_set_error makes a short text of the status and the request's id. */
void response_set_error(struct response *response, unsigned status);

/* Whether browsers may be told to come back by HTTPS alone. */
enum response_hsts { RESPONSE_NO_HSTS, RESPONSE_HSTS };

/* response_finish adds what every response carries: date, length, the request's id and the table's fields, which must outlive it. */
void response_finish(struct response *response, enum response_body body, const struct header_table *headers,
                     enum response_hsts hsts);

/* response_num_fields says how many header fields there are, at most RESPONSE_FIELDS. */
size_t response_num_fields(const struct response *response);

/* response_field returns the i-th. */
struct header_table_field response_field(const struct response *response, size_t i);

/* response_has_body says whether bytes follow the header section. */
bool response_has_body(const struct response *response);

/* response_trailers returns what is to be said behind the body, once it is all read: of an application's answer, to a client that
 * wants it. */
const struct header_table_field *response_trailers(const struct response *response, size_t *out_num);

/* response_read takes the next bytes of the body, up to cap; *out_len is 0 with ERR_OK only at its end.
 * ERR_AGAIN: an application has no more to say now. ERR_CLOSED: it stopped in the middle. ERR_SYSTEM: the file cannot be read, or has become shorter than promised. */
MUST_CHECK enum err response_read(struct response *response, uint8_t *out, size_t *out_len, size_t cap);

#endif
