#include "browser-shim/client_date.h"

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"

static void free_time(ASN1_TIME **time)
{
    ASN1_TIME_free(*time);
}

/* The C library's calendar would ask the file system for the time zone. */
static bool to_seconds(uint64_t *out_s, const char *generalized)
{
    int64_t seconds;
    AUTO(free_time) ASN1_TIME *time = ASN1_TIME_new();
    const bool good =
        time != NULL && ASN1_TIME_set_string(time, generalized) && ASN1_TIME_to_posix(time, &seconds) && seconds >= 0;
    ERR_clear_error();
    if (good) *out_s = (uint64_t)seconds;
    return good;
}

bool client_date_read(uint64_t *out_s, const char *text)
{
    /* "Sun, 06 Nov 1994 08:49:37 GMT" */
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec", form[] = "aaa, 00 aaa 0000 00:00:00 GMT";
    char generalized[64], month[4] = "";
    if (strlen(text) != sizeof form - 1) return false;
    for (size_t i = 0; i < sizeof form - 1; i++) {
        const bool digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == '0' ? !digit : form[i] != 'a' && text[i] != form[i]) return false;
    }
    memcpy(month, text + 8, 3);
    const char *found = strstr(months, month);
    if (found == NULL || (found - months) % 3 != 0) return false;
    snprintf(generalized, sizeof generalized, "%.4s%02d%.2s%.2s%.2s%.2sZ", text + 12, (int)((found - months) / 3) + 1,
             text + 5, text + 17, text + 20, text + 23);
    return to_seconds(out_s, generalized);
}
