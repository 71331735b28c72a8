/* Any bytes as an application's answer: the first says to what it is the answer and in what pieces it comes. In whatever
 * pieces, it is the same answer. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "web/proxy/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
    struct answer answer;
    struct buffer content;
    enum err err;
    size_t used;
};

static void read_all(struct reading *reading, enum answer_to to, struct bytes data, size_t step)
{
    memset(reading, 0, sizeof(*reading));
    answer_init(&reading->answer, to);
    reading->answer.takes_trailers = true;
    while (reading->used < data.len && reading->err == ERR_OK && !reading->answer.complete) {
        size_t used, len = data.len - reading->used < step ? data.len - reading->used : step;
        reading->err = answer_receive(&reading->answer, &reading->content, &used,
                                      (struct bytes){data.data + reading->used, len}, SIZE_MAX);
        if (used > len || (reading->err == ERR_OK && used < len && !reading->answer.complete)) abort();
        reading->used += used;
    }
    if (reading->err == ERR_OK) reading->err = answer_end(&reading->answer);
    if (reading->err == ERR_OK && !reading->answer.complete) abort();
    if (reading->err == ERR_MALFORMED && reading->answer.fault == NULL) abort();
}

/* Nothing that a client would take for something else. */
static void check_fields(const struct answer *answer)
{
    for (size_t i = 0; i < answer->num_fields; i++) {
        const char *name = answer->fields[i].name, *value = answer->fields[i].value;
        if (name[0] == '\0' || strpbrk(name, " \t\r\n:") != NULL || strpbrk(value, "\r\n") != NULL) abort();
        if (strcasecmp(name, "content-length") == 0 || strcasecmp(name, "transfer-encoding") == 0) abort();
        if (strcasecmp(name, "connection") == 0) abort();
    }
    for (size_t i = 0; i < answer->num_trailers; i++) {
        const char *name = answer->trailers[i].name, *value = answer->trailers[i].value;
        if (name[0] == '\0' || strpbrk(name, " \t\r\n:") != NULL || strpbrk(value, "\r\n") != NULL) abort();
        if (strcasecmp(name, "content-length") == 0 || strcasecmp(name, "set-cookie") == 0) abort();
    }
}

static void check_whole(const struct reading *reading)
{
    const struct answer *answer = &reading->answer;
    size_t len = buffer_left(&reading->content).len;
    if (!answer->head_complete) return;
    check_fields(answer);
    if (answer->status != 101 && (answer->status < 200 || answer->status > 599)) abort();
    if (answer->status == 101 && answer->to != ANSWER_TO_UPGRADE) abort();
    if (answer->body == ANSWER_NO_BODY && len > 0) abort();
    if (answer->body == ANSWER_LENGTH && (answer->complete ? len != answer->length : len >= answer->length)) abort();
    if (answer->body == ANSWER_TO_END && answer->keeps_alive) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reading whole, pieces;
    if (size < 1) return 0;
    enum answer_to to = (enum answer_to)(data[0] % 3);
    struct bytes text = {data + 1, size - 1};
    read_all(&whole, to, text, text.len + 1);
    read_all(&pieces, to, text, data[0] / 3 % 13 + 1u);
    check_whole(&whole);
    struct bytes a = buffer_left(&whole.content), b = buffer_left(&pieces.content);
    if (whole.err != pieces.err || whole.answer.status != pieces.answer.status) abort();
    if (whole.err == ERR_OK && whole.used != pieces.used) abort();
    if (whole.answer.num_trailers != pieces.answer.num_trailers) abort();
    if (a.len != b.len || (a.len > 0 && memcmp(a.data, b.data, a.len) != 0)) abort();
    answer_cleanup(&whole.answer);
    answer_cleanup(&pieces.answer);
    buffer_free(&whole.content);
    buffer_free(&pieces.content);
    return 0;
}
