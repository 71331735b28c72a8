#include "web/http/negotiate.h"

#include <string.h>

#define FULL_WEIGHT 1000u

static bool names(struct bytes text, const char *word)
{
    return text.len == strlen(word) && strncasecmp((const char *)text.data, word, text.len) == 0;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct bytes trim(struct bytes text)
{
    while (text.len > 0 && is_blank(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && is_blank(text.data[text.len - 1])) text.len--;
    return text;
}

/* Cuts text at the first of the separators outside of quotes, and leaves what is behind it in *rest. */
static struct bytes cut(struct bytes *rest, char separator)
{
    struct bytes text = *rest;
    bool quoted = false;
    size_t at = 0;
    for (; at < text.len && (quoted || text.data[at] != (uint8_t)separator); at++) {
        if (text.data[at] == '"') quoted = !quoted;
        if (quoted && text.data[at] == '\\' && at + 1 < text.len) at++;
    }
    *rest = at < text.len ? (struct bytes){text.data + at + 1, text.len - at - 1} : (struct bytes){text.data, 0};
    return trim((struct bytes){text.data, at});
}

/* qvalue: 0 to 1 with at most three decimals. */
static bool read_weight(unsigned *out, struct bytes text)
{
    if (text.len == 0 || text.len > 5 || (text.data[0] != '0' && text.data[0] != '1')) return false;
    if (text.len > 1 && text.data[1] != '.') return false;
    unsigned weight = (unsigned)(text.data[0] - '0') * FULL_WEIGHT;
    unsigned unit = FULL_WEIGHT / 10;
    for (size_t i = 2; i < text.len; i++, unit /= 10) {
        if (text.data[i] < '0' || text.data[i] > '9') return false;
        weight += (unsigned)(text.data[i] - '0') * unit;
    }
    *out = weight;
    return weight <= FULL_WEIGHT;
}

/* Takes one element of a list: its name, and its weight among its parameters. False: not understood. */
static bool read_element(struct bytes *out_name, unsigned *out_weight, struct bytes element)
{
    *out_name = cut(&element, ';');
    *out_weight = FULL_WEIGHT;
    while (element.len > 0) {
        struct bytes parameter = cut(&element, ';');
        if (parameter.len < 2 || (parameter.data[0] | 0x20) != 'q' || parameter.data[1] != '=') continue;
        if (!read_weight(out_weight, (struct bytes){parameter.data + 2, parameter.len - 2})) return false;
    }
    return out_name->len > 0;
}

static void set_coding(struct codings *codings, struct bytes name, unsigned weight)
{
    static const struct {
        const char *name;
        enum coding coding;
    } known[] = {
        {"br", CODING_BR},
        {"gzip", CODING_GZIP},
        {"x-gzip", CODING_GZIP}, /* RFC 9110, 8.4.1.3 */
        {"identity", CODING_IDENTITY},
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (!names(name, known[i].name)) continue;
        codings->weights[known[i].coding] = weight;
        codings->named[known[i].coding] = true;
    }
    if (names(name, "*")) {
        codings->others = weight;
        codings->others_named = true;
    }
}

void negotiate_codings(struct codings *codings, struct bytes field)
{
    while (field.len > 0) {
        struct bytes name;
        unsigned weight;
        if (read_element(&name, &weight, cut(&field, ','))) set_coding(codings, name, weight);
    }
}

static unsigned weight_of(const struct codings *codings, enum coding coding)
{
    if (codings->named[coding]) return codings->weights[coding];
    /* Unnamed, identity is what is left when nothing better is there; "*" may rule it out, and does not prefer it. */
    return coding != CODING_IDENTITY && codings->others_named ? codings->others : 0;
}

size_t negotiate_order(enum coding out[CODING_NUM], const struct codings *codings)
{
    size_t num = 0;
    unsigned identity = weight_of(codings, CODING_IDENTITY);
    for (enum coding coding = 0; coding < CODING_IDENTITY; coding++) {
        unsigned weight = weight_of(codings, coding);
        if (weight == 0 || weight < identity) continue;
        size_t at = num++;
        for (; at > 0 && weight_of(codings, out[at - 1]) < weight; at--) out[at] = out[at - 1];
        out[at] = coding;
    }
    out[num++] = CODING_IDENTITY;
    return num;
}

bool negotiate_wants_html(struct bytes field)
{
    while (field.len > 0) {
        struct bytes name;
        unsigned weight;
        if (read_element(&name, &weight, cut(&field, ',')) && weight > 0 && names(name, "text/html")) return true;
    }
    return false;
}
