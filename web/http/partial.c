#include "web/http/partial.h"

#include <http_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/check.h"

#define BOUNDARY_BYTES 12u
#define BOUNDARY_LEN (2 * BOUNDARY_BYTES)
#define MAX_TYPE 60u
/* What stands before a part, and the line at the end, which is shorter. */
#define MAX_PART_HEAD \
    (sizeof("\r\n--\r\nContent-Type: \r\nContent-Range: \r\n\r\n") + BOUNDARY_LEN + MAX_TYPE + RESPONSE_CONTENT_RANGE)

/* A body of several parts: what the response owns. */
struct multipart {
    struct response_piece pieces[LIMIT_HTTP_RANGES + 1];
    char texts[LIMIT_HTTP_RANGES + 1][MAX_PART_HEAD];
};

static void format_range(char out[RESPONSE_CONTENT_RANGE], const struct range *range, uint64_t size)
{
    int len = snprintf(out, RESPONSE_CONTENT_RANGE, "bytes %llu-%llu/%llu", (unsigned long long)range->start,
                       (unsigned long long)(range->start + range->len - 1), (unsigned long long)size);
    CHECK(len > 0 && (size_t)len < RESPONSE_CONTENT_RANGE);
}

static void answer_one(struct response *response, const struct partial *file, const struct range *range)
{
    response_set_file(response, file->type, file->file, range->len);
    response->status = HTTP_STATUS_PARTIAL_CONTENT;
    response->piece.start = range->start;
    format_range(response->content_range, range, file->size);
    response_add(response, "Content-Range", response->content_range);
}

static enum err make_boundary(char out[BOUNDARY_LEN + 1])
{
    uint8_t random[BOUNDARY_BYTES];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) return ERR_SYSTEM;
    bytes_hex(out, (struct bytes){random, sizeof(random)});
    return ERR_OK;
}

static void set_piece(struct multipart *parts, size_t i, int text_len, const struct range *range)
{
    CHECK(text_len > 0 && (size_t)text_len < MAX_PART_HEAD);
    parts->pieces[i] = (struct response_piece){
        .text = {(const uint8_t *)parts->texts[i], (size_t)text_len},
        .start = range->start,
        .len = range->len,
    };
}

static uint64_t write_parts(struct multipart *parts, const struct partial *file, const struct range *ranges,
                            size_t num_ranges, const char *boundary)
{
    static const struct range nothing = {0, 0};
    uint64_t length = 0;
    for (size_t i = 0; i < num_ranges; i++) {
        char range[RESPONSE_CONTENT_RANGE];
        format_range(range, &ranges[i], file->size);
        int len = snprintf(parts->texts[i], MAX_PART_HEAD, "%s--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n",
                           i > 0 ? "\r\n" : "", boundary, file->type, range);
        set_piece(parts, i, len, &ranges[i]);
    }
    set_piece(parts, num_ranges, snprintf(parts->texts[num_ranges], MAX_PART_HEAD, "\r\n--%s--\r\n", boundary),
              &nothing);
    for (size_t i = 0; i <= num_ranges; i++) length += parts->pieces[i].text.len + parts->pieces[i].len;
    return length;
}

enum err partial_answer(struct response *response, const struct partial *file, const struct range *ranges,
                        size_t num_ranges)
{
    CHECK(num_ranges > 0 && num_ranges <= LIMIT_HTTP_RANGES);
    if (num_ranges == 1) {
        answer_one(response, file, &ranges[0]);
        return ERR_OK;
    }
    char boundary[BOUNDARY_LEN + 1];
    enum err err = make_boundary(boundary);
    if (err != ERR_OK) return err;
    struct multipart *parts = malloc(sizeof(*parts));
    if (parts == NULL) return ERR_MEMORY;
    snprintf(response->content_type, sizeof(response->content_type), "multipart/byteranges; boundary=%s", boundary);
    response_set_file(response, response->content_type, file->file,
                      write_parts(parts, file, ranges, num_ranges, boundary));
    response->status = HTTP_STATUS_PARTIAL_CONTENT;
    response->owned = parts;
    response->pieces = parts->pieces;
    return ERR_OK;
}

void partial_refuse(struct response *response, uint64_t size)
{
    response_set_error(response, HTTP_STATUS_RANGE_NOT_SATISFIABLE);
    snprintf(response->content_range, sizeof(response->content_range), "bytes */%llu", (unsigned long long)size);
    response_add(response, "Content-Range", response->content_range);
}
