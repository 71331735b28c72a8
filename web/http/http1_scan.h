/* Where the lines of an HTTP/1 message end, and whether they are lines at all.
 *
 * http-parser splits a message into its parts. But Debian builds it without its strict mode: it takes a bare LF for a
 * line's end, a space in a field's name, a folded line, and any two bytes after a chunk. Two readers of one connection
 * who differ about such things are what request smuggling lives on. So every byte that is not content passes here
 * first, and what passes is only what RFC 9112 allows a sender. It also finds the limits while they are being passed,
 * not afterwards. */
#ifndef KEYWARD_WEB_HTTP_HTTP1_SCAN_H
#define KEYWARD_WEB_HTTP_HTTP1_SCAN_H

#include <stdbool.h>

#include "base/bytes.h"
#include "web/http/target.h"

/* A run of bytes with rules of its own. */
enum scan_part {
    SCAN_HEAD,       /* request line and header section, to the empty line; empty lines before it are skipped */
    SCAN_ANSWER,     /* the same of a response: status line and header section; no empty line before it */
    SCAN_CHUNK_SIZE, /* the line before a chunk's data */
    SCAN_CHUNK_END,  /* the CRLF after it */
    SCAN_TRAILERS,   /* trailer section, to the empty line */
};

enum scan_line { SCAN_LINE_REQUEST, SCAN_LINE_STATUS, SCAN_LINE_FIELD, SCAN_LINE_SIZE, SCAN_LINE_EMPTY };

struct scan {
    enum scan_part part;
    enum scan_line line;
    size_t line_len; /* bytes of this line, so far */
    size_t word_len; /* bytes of its method, target, version, field name or chunk size */
    unsigned
        num_words; /* of a request line: finished ones; of a field or chunk size: 1 once the name or size is over */
    size_t section_len; /* bytes of all finished and unfinished field lines */
    size_t num_fields;
    size_t num_empty; /* empty lines before a request */
    bool cr;          /* the last byte was CR */
    bool begun;       /* of a head: the request line's first byte has come */
    bool done;        /* the part is complete */
};

void scan_start(struct scan *scan, enum scan_part part);

/* scan_bytes looks at data up to the end of the part, and says how many bytes it has looked at; scan->done then tells
 * whether that is the end. A fault is final. */
struct fault scan_bytes(struct scan *scan, struct bytes data, size_t *out_len);

#endif
