/* Any values of the header fields that are lists and grammars of their own, and any configured header. The first byte
 * says which, the next eight the size of a file where one is needed. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/header.h"
#include "web/http/conditional.h"
#include "web/http/hashed_name.h"
#include "web/http/negotiate.h"
#include "web/http/range.h"
#include "web/http/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_codings(struct bytes value)
{
    struct codings codings = {0};
    enum coding order[CODING_NUM];
    negotiate_codings(&codings, value);
    size_t num = negotiate_order(order, &codings);
    if (num < 1 || num > CODING_NUM || order[num - 1] != CODING_IDENTITY) abort();
    for (size_t i = 0; i + 1 < num; i++)
        if (order[i] == CODING_IDENTITY || (i > 0 && order[i] == order[i - 1])) abort();
}

static void check_ranges(const char *text, uint64_t size)
{
    struct range ranges[LIMIT_HTTP_RANGES];
    size_t num;
    uint64_t total = 0;
    if (range_parse(ranges, &num, text, size) != RANGE_PARTS) return;
    if (num < 1 || num > LIMIT_HTTP_RANGES) abort();
    for (size_t i = 0; i < num; i++) {
        if (ranges[i].len == 0 || ranges[i].start >= size || ranges[i].len > size - ranges[i].start) abort();
        if (ranges[i].len > size - total) abort();
        total += ranges[i].len;
    }
}

/* A request that gets the same field twice. */
static void check_field(const char *name, struct bytes value)
{
    struct request request;
    struct bytes name_bytes = {(const uint8_t *)name, strlen(name)};
    request_init(&request, VERSION_HTTP11);
    for (int i = 0; i < 2; i++)
        if (request_add_field(&request, name_bytes, value).status != 0) break;
    (void)request_check(&request);
    if (request_framing(&request) == FRAMING_CHUNKED && request.num_lengths > 0 && request_check(&request).status == 0)
        abort();
    struct conditional_write write = {request.if_match, request.if_none_match, request.if_unmodified_since};
    if (conditional_read(&request, "\"a\"", 1000) == CONDITIONAL_FAILED && request.if_match == NULL &&
        request.if_unmodified_since[0] == '\0')
        abort();
    (void)conditional_write_allows(&write, NULL, CONDITIONAL_NO_DATE);
    (void)conditional_range(&request, "\"a\"");
    request_cleanup(&request);
}

static void check_header(const char *line)
{
    if (header_fault(line) != NULL) return;
    if (strlen(line) > HEADER_LINE_LEN || strpbrk(line, "\r\n\t") != NULL || strchr(line, ':') == NULL) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"host",
                                        "content-length",
                                        "transfer-encoding",
                                        "expect",
                                        "range",
                                        "if-range",
                                        "if-match",
                                        "if-none-match",
                                        "accept",
                                        "accept-encoding",
                                        "if-modified-since",
                                        "if-unmodified-since",
                                        "content-range",
                                        "x"};
    const size_t num_names = sizeof(names) / sizeof(names[0]);
    uint64_t file_size = 0;
    if (size < 1 + sizeof(file_size)) return 0;
    unsigned which = data[0] % (num_names + 5u);
    memcpy(&file_size, data + 1, sizeof(file_size));
    struct bytes value = {data + 1 + sizeof(file_size), size - 1 - sizeof(file_size)};
    char *text = strndup((const char *)value.data, value.len);
    if (text == NULL) abort();
    switch (which) {
    case 0: check_codings(value); break;
    case 1: (void)negotiate_wants_html(value); break;
    case 2: check_ranges(text, file_size); break;
    case 3: (void)hashed_name(text); break;
    case 4: check_header(text); break;
    default: check_field(names[which - 5], value); break;
    }
    free(text);
    return 0;
}
