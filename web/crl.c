#include "web/crl.h"

#include <openssl/bytestring.h>
#include <openssl/mem.h>
#include <string.h>
#include <time.h>
#if __has_include(<openssl/posix_time.h>)
#include <openssl/posix_time.h> /* its name in newer versions */
#else
#include <openssl/time.h>
#endif

#include "base/auto.h"

#define COMPLETE "get the CA's complete list"

/* Extensions by the last octet of their OID, 2.5.29.N (RFC 5280, 5.2 and 5.3). */
enum {
    ID_CRL_NUMBER = 20,
    ID_REASON_CODE = 21,
    ID_DELTA_CRL_INDICATOR = 27,
    ID_ISSUING_DISTRIBUTION_POINT = 28,
    ID_CERTIFICATE_ISSUER = 29,
    ID_AUTHORITY_KEY_IDENTIFIER = 35,
};

struct extension {
    CBS oid;
    CBS value;
    bool critical;
    unsigned id; /* of 2.5.29; 0: another one */
};

static void auto_octets(char **octets)
{
    OPENSSL_free(*octets);
}

static enum err complain(struct diag *diag, const char *why)
{
    return diag_set(diag, ERR_INPUT, "%s", why);
}

static struct bytes span_of(const CBS *cbs)
{
    return (struct bytes){CBS_data(cbs), CBS_len(cbs)};
}

static CBS cbs_of(struct bytes bytes)
{
    CBS cbs;
    CBS_init(&cbs, bytes.data, bytes.len);
    return cbs;
}

/* UTCTime or GeneralizedTime, both in UTC (RFC 5280, 5.1.2.4). What is before 1970 is 1970. */
static bool read_time(uint64_t *out, CBS *in)
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

static bool is_time(const CBS *in)
{
    return CBS_peek_asn1_tag(in, CBS_ASN1_UTCTIME) || CBS_peek_asn1_tag(in, CBS_ASN1_GENERALIZEDTIME);
}

/* BOOLEAN DEFAULT FALSE; in DER true is 255. */
static bool read_critical(bool *out, CBS *extension)
{
    CBS value;
    *out = CBS_peek_asn1_tag(extension, CBS_ASN1_BOOLEAN);
    return !*out ||
           (CBS_get_asn1(extension, &value, CBS_ASN1_BOOLEAN) && CBS_len(&value) == 1 && CBS_data(&value)[0] == 0xff);
}

static bool read_extension(struct extension *out, CBS *extensions)
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

static enum err refuse_unknown(const struct extension *extension, struct diag *diag)
{
    AUTO(auto_octets) char *oid = CBS_asn1_oid_to_text(&extension->oid);
    return diag_set(diag, ERR_INPUT, "it has a critical extension that is not known here (%s); " COMPLETE,
                    oid != NULL ? oid : "?");
}

static enum err check_extension(const struct extension *extension, struct diag *diag)
{
    switch (extension->id) {
    case ID_DELTA_CRL_INDICATOR: return complain(diag, "it is a delta, which lists only what has changed; " COMPLETE);
    case ID_ISSUING_DISTRIBUTION_POINT:
        return complain(diag, "it is for some certificates only, or indirect (issuingDistributionPoint); " COMPLETE);
    case ID_AUTHORITY_KEY_IDENTIFIER:
    case ID_CRL_NUMBER: return ERR_OK;
    default: return extension->critical ? refuse_unknown(extension, diag) : ERR_OK;
    }
}

/* crlExtensions, whose tag is [0]; they may be missing. */
static enum err check_extensions(CBS *tbs, bool is_v2, struct diag *diag)
{
    CBS wrapper, extensions;
    int present;
    if (!CBS_get_optional_asn1(tbs, &wrapper, &present, CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0))
        return complain(diag, "its extensions do not parse");
    if (!present) return ERR_OK;
    if (!is_v2 || !CBS_get_asn1(&wrapper, &extensions, CBS_ASN1_SEQUENCE) || CBS_len(&wrapper) != 0)
        return complain(diag, "its extensions do not parse");
    while (CBS_len(&extensions) > 0) {
        struct extension extension;
        if (!read_extension(&extension, &extensions)) return complain(diag, "its extensions do not parse");
        enum err err = check_extension(&extension, diag);
        if (err != ERR_OK) return err;
    }
    return ERR_OK;
}

bool crl_serial(struct crl_entry *out, struct bytes integer)
{
    if (integer.len == 0 || (integer.data[0] & 0x80) != 0) return false;
    while (integer.len > 0 && integer.data[0] == 0) integer = (struct bytes){integer.data + 1, integer.len - 1};
    if (integer.len > sizeof out->serial) return false;
    memset(out->serial, 0, sizeof out->serial);
    if (integer.len > 0) memcpy(out->serial, integer.data, integer.len);
    out->serial_len = (uint8_t)integer.len;
    return true;
}

static enum err read_reason(struct crl_entry *out, const struct extension *extension, struct diag *diag)
{
    CBS value = extension->value, reason;
    if (!CBS_get_asn1(&value, &reason, CBS_ASN1_ENUMERATED) || CBS_len(&value) != 0 || CBS_len(&reason) != 1)
        return complain(diag, "an entry's reason does not parse");
    out->reason = CBS_data(&reason)[0];
    return ERR_OK;
}

static enum err read_entry_extensions(struct crl_entry *out, CBS *entry, struct diag *diag)
{
    CBS extensions;
    if (CBS_len(entry) == 0) return ERR_OK;
    if (!CBS_get_asn1(entry, &extensions, CBS_ASN1_SEQUENCE) || CBS_len(entry) != 0)
        return complain(diag, "an entry does not parse");
    while (CBS_len(&extensions) > 0) {
        struct extension extension;
        enum err err = ERR_OK;
        if (!read_extension(&extension, &extensions)) return complain(diag, "an entry does not parse");
        if (extension.id == ID_CERTIFICATE_ISSUER)
            return complain(diag, "it is indirect: an entry is about another CA's certificate; " COMPLETE);
        if (extension.id == ID_REASON_CODE)
            err = read_reason(out, &extension, diag);
        else if (extension.critical)
            err = refuse_unknown(&extension, diag);
        if (err != ERR_OK) return err;
    }
    return ERR_OK;
}

static enum err read_entry(struct crl_entry *out, CBS *entries, bool is_v2, struct diag *diag)
{
    CBS entry, serial;
    *out = (struct crl_entry){0};
    if (!CBS_get_asn1(entries, &entry, CBS_ASN1_SEQUENCE) || !CBS_get_asn1(&entry, &serial, CBS_ASN1_INTEGER) ||
        !CBS_is_valid_asn1_integer(&serial, NULL) || !read_time(&out->revoked_at, &entry) ||
        (!is_v2 && CBS_len(&entry) != 0))
        return complain(diag, "an entry does not parse");
    if (!crl_serial(out, span_of(&serial)))
        return complain(diag, "an entry's serial number is negative or longer than 20 bytes");
    return read_entry_extensions(out, &entry, diag);
}

static enum err check_entries(struct crl *out, CBS *tbs, bool is_v2, struct diag *diag)
{
    CBS entries;
    if (!CBS_peek_asn1_tag(tbs, CBS_ASN1_SEQUENCE)) return ERR_OK;
    if (!CBS_get_asn1(tbs, &entries, CBS_ASN1_SEQUENCE)) return complain(diag, "does not parse");
    out->entries = span_of(&entries);
    for (; CBS_len(&entries) > 0; out->num_entries++) {
        struct crl_entry entry;
        enum err err = read_entry(&entry, &entries, is_v2, diag);
        if (err != ERR_OK) return err;
    }
    return ERR_OK;
}

bool crl_next(struct crl_entry *out, struct bytes *entries)
{
    CBS rest = cbs_of(*entries);
    if (entries->len == 0 || read_entry(out, &rest, true, NULL) != ERR_OK) return false;
    *entries = span_of(&rest);
    return true;
}

/* The version is missing, which means 1, or it is 2 (written as 1). */
static bool read_version(bool *out_v2, CBS *tbs)
{
    uint64_t version;
    *out_v2 = CBS_peek_asn1_tag(tbs, CBS_ASN1_INTEGER);
    return !*out_v2 || (CBS_get_asn1_uint64(tbs, &version) && version == 1);
}

static enum err read_times(struct crl *out, CBS *tbs, struct diag *diag)
{
    if (!read_time(&out->this_update, tbs)) return complain(diag, "its thisUpdate does not parse");
    if (!is_time(tbs))
        return complain(diag,
                        "it has no nextUpdate, so that nobody can tell when it is out of date; have the CA set it");
    if (!read_time(&out->next_update, tbs)) return complain(diag, "its nextUpdate does not parse");
    if (out->next_update > out->this_update) return ERR_OK;
    return complain(diag, "its nextUpdate is not behind its thisUpdate; get one that the CA has made right");
}

static enum err read_tbs(struct crl *out, CBS tbs, struct diag *diag)
{
    CBS issuer, algorithm;
    bool is_v2;
    if (!read_version(&is_v2, &tbs) || !CBS_get_asn1(&tbs, &algorithm, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1_element(&tbs, &issuer, CBS_ASN1_SEQUENCE))
        return complain(diag, "does not parse");
    if (!bytes_equal(span_of(&algorithm), out->algorithm))
        return complain(diag, "it names two different signature algorithms");
    out->issuer = span_of(&issuer);
    enum err err = read_times(out, &tbs, diag);
    if (err == ERR_OK) err = check_entries(out, &tbs, is_v2, diag);
    if (err == ERR_OK) err = check_extensions(&tbs, is_v2, diag);
    if (err == ERR_OK && CBS_len(&tbs) != 0) err = complain(diag, "does not parse");
    return err;
}

enum err crl_parse(struct crl *out, struct bytes der, struct diag *diag)
{
    CBS all = cbs_of(der), list, element, tbs, algorithm, signature;
    uint8_t unused_bits;
    *out = (struct crl){0};
    if (!CBS_get_asn1(&all, &list, CBS_ASN1_SEQUENCE) || CBS_len(&all) != 0 ||
        !CBS_get_asn1_element(&list, &element, CBS_ASN1_SEQUENCE) ||
        !CBS_get_asn1(&list, &algorithm, CBS_ASN1_SEQUENCE) || !CBS_get_asn1(&list, &signature, CBS_ASN1_BITSTRING) ||
        CBS_len(&list) != 0 || !CBS_get_u8(&signature, &unused_bits) || unused_bits != 0)
        return complain(diag, "does not parse");
    out->tbs = span_of(&element);
    out->algorithm = span_of(&algorithm);
    out->signature = span_of(&signature);
    if (!CBS_get_asn1(&element, &tbs, CBS_ASN1_SEQUENCE)) return complain(diag, "does not parse");
    return read_tbs(out, tbs, diag);
}

const char *crl_reason_name(unsigned reason)
{
    static const char *const names[] = {
        [1] = "keyCompromise",        [2] = "cACompromise",    [3] = "affiliationChanged", [4] = "superseded",
        [5] = "cessationOfOperation", [6] = "certificateHold", [9] = "privilegeWithdrawn", [10] = "aACompromise",
    };
    return reason < sizeof names / sizeof *names ? names[reason] : NULL;
}
