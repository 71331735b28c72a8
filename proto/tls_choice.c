#include "proto/tls_choice.h"

#include <stdio.h>
#include <string.h>

enum { MAX_NAMES = 6 };

static const char *const names[][MAX_NAMES + 1] = {
    [TLS_CHOICE_GROUPS] = {"X25519MLKEM768", "X25519", "P-256", "P-384", NULL},
    [TLS_CHOICE_SUITES] = {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                           "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-AES128-GCM-SHA256",
                           "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305", NULL},
};

uint32_t tls_choice_bit(enum tls_choice choice, const char *name)
{
    for (unsigned i = 0; names[choice][i] != NULL; i++)
        if (strcmp(names[choice][i], name) == 0) return UINT32_C(1) << i;
    return 0;
}

void tls_choice_list(char out[TLS_CHOICE_LIST], enum tls_choice choice, uint32_t set, const char *between)
{
    size_t len = 0;
    out[0] = '\0';
    for (unsigned i = 0; names[choice][i] != NULL; i++) {
        if ((set >> i & 1) == 0 || len >= TLS_CHOICE_LIST) continue;
        len += (size_t)snprintf(out + len, TLS_CHOICE_LIST - len, "%s%s", len > 0 ? between : "", names[choice][i]);
    }
}
