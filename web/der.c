#include "web/der.h"

#include <openssl/mem.h>
#include <string.h>
#include <time.h>
#if __has_include(<openssl/posix_time.h>)
#include <openssl/posix_time.h> /* its name in newer versions */
#else
#include <openssl/time.h>
#endif

#include "base/auto.h"

static void auto_octets(char **octets)
{
    OPENSSL_free(*octets);
}

struct bytes der_span(const CBS *cbs)
{
    return (struct bytes){CBS_data(cbs), CBS_len(cbs)};
}

CBS der_cbs(struct bytes bytes)
{
    CBS cbs;
    CBS_init(&cbs, bytes.data, bytes.len);
    return cbs;
}

bool der_time(uint64_t *out, CBS *in)
{
    CBS value;
    unsigned tag;
    struct tm tm;
    int64_t seconds;
    if (!CBS_get_any_asn1(in, &value, &tag)) return false;
    if (tag == CBS_ASN1_UTCTIME ? !CBS_parse_utc_time(&value, &tm, 0)
                                : tag != CBS_ASN1_GENERALIZEDTIME || !CBS_parse_generalized_time(&value, &tm, 0))
        return false;
    if (!OPENSSL_tm_to_posix(&tm, &seconds)) return false;
    *out = seconds < 0 ? 0 : (uint64_t)seconds;
    return true;
}

/* BOOLEAN DEFAULT FALSE; in DER true is 255. */
static bool read_critical(bool *out, CBS *extension)
{
    CBS value;
    *out = CBS_peek_asn1_tag(extension, CBS_ASN1_BOOLEAN);
    return !*out ||
           (CBS_get_asn1(extension, &value, CBS_ASN1_BOOLEAN) && CBS_len(&value) == 1 && CBS_data(&value)[0] == 0xff);
}

bool der_extension(struct der_extension *out, CBS *extensions)
{
    static const uint8_t id_ce[] = {0x55, 0x1d}; /* 2.5.29 */
    CBS extension;
    if (!CBS_get_asn1(extensions, &extension, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&extension, &out->oid, CBS_ASN1_OBJECT) || !read_critical(&out->critical, &extension) ||
        !CBS_get_asn1(&extension, &out->value, CBS_ASN1_OCTETSTRING) || CBS_len(&extension) != 0)
        return false;
    const bool known = CBS_len(&out->oid) == 3 && memcmp(CBS_data(&out->oid), id_ce, sizeof id_ce) == 0;
    out->id = known ? CBS_data(&out->oid)[2] : 0;
    return true;
}

enum err der_refuse_unknown(const struct der_extension *extension, const char *remedy, struct diag *diag)
{
    AUTO(auto_octets) char *oid = CBS_asn1_oid_to_text(&extension->oid);
    return diag_set(diag, ERR_INPUT, "it has a critical extension that is not known here (%s); %s",
                    oid != NULL ? oid : "?", remedy);
}
