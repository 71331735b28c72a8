#include "web/crl.h"

#include <openssl/bytestring.h>
#include <string.h>

#include "web/der.h"

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

static enum err complain(struct diag *diag, const char *why)
{
    return diag_set(diag, ERR_INPUT, "%s", why);
}

static bool is_time(const CBS *in)
{
    return CBS_peek_asn1_tag(in, CBS_ASN1_UTCTIME) || CBS_peek_asn1_tag(in, CBS_ASN1_GENERALIZEDTIME);
}

static enum err check_extension(const struct der_extension *extension, struct diag *diag)
{
    switch (extension->id) {
    case ID_DELTA_CRL_INDICATOR: return complain(diag, "it is a delta, which lists only what has changed; " COMPLETE);
    case ID_ISSUING_DISTRIBUTION_POINT:
        return complain(diag, "it is for some certificates only, or indirect (issuingDistributionPoint); " COMPLETE);
    case ID_AUTHORITY_KEY_IDENTIFIER:
    case ID_CRL_NUMBER: return ERR_OK;
    default: return extension->critical ? der_refuse_unknown(extension, COMPLETE, diag) : ERR_OK;
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
        struct der_extension extension;
        if (!der_extension(&extension, &extensions)) return complain(diag, "its extensions do not parse");
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

static enum err read_reason(struct crl_entry *out, const struct der_extension *extension, struct diag *diag)
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
        struct der_extension extension;
        enum err err = ERR_OK;
        if (!der_extension(&extension, &extensions)) return complain(diag, "an entry does not parse");
        if (extension.id == ID_CERTIFICATE_ISSUER)
            return complain(diag, "it is indirect: an entry is about another CA's certificate; " COMPLETE);
        if (extension.id == ID_REASON_CODE)
            err = read_reason(out, &extension, diag);
        else if (extension.critical)
            err = der_refuse_unknown(&extension, COMPLETE, diag);
        if (err != ERR_OK) return err;
    }
    return ERR_OK;
}

static enum err read_entry(struct crl_entry *out, CBS *entries, bool is_v2, struct diag *diag)
{
    CBS entry, serial;
    *out = (struct crl_entry){0};
    if (!CBS_get_asn1(entries, &entry, CBS_ASN1_SEQUENCE) || !CBS_get_asn1(&entry, &serial, CBS_ASN1_INTEGER) ||
        !CBS_is_valid_asn1_integer(&serial, NULL) || !der_time(&out->revoked_at, &entry) ||
        (!is_v2 && CBS_len(&entry) != 0))
        return complain(diag, "an entry does not parse");
    if (!crl_serial(out, der_span(&serial)))
        return complain(diag, "an entry's serial number is negative or longer than 20 bytes");
    return read_entry_extensions(out, &entry, diag);
}

static enum err check_entries(struct crl *out, CBS *tbs, bool is_v2, struct diag *diag)
{
    CBS entries;
    if (!CBS_peek_asn1_tag(tbs, CBS_ASN1_SEQUENCE)) return ERR_OK;
    if (!CBS_get_asn1(tbs, &entries, CBS_ASN1_SEQUENCE)) return complain(diag, "does not parse");
    out->entries = der_span(&entries);
    for (; CBS_len(&entries) > 0; out->num_entries++) {
        struct crl_entry entry;
        enum err err = read_entry(&entry, &entries, is_v2, diag);
        if (err != ERR_OK) return err;
    }
    return ERR_OK;
}

bool crl_next(struct crl_entry *out, struct bytes *entries)
{
    CBS rest = der_cbs(*entries);
    if (entries->len == 0 || read_entry(out, &rest, true, NULL) != ERR_OK) return false;
    *entries = der_span(&rest);
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
    if (!der_time(&out->this_update, tbs)) return complain(diag, "its thisUpdate does not parse");
    if (!is_time(tbs))
        return complain(diag,
                        "it has no nextUpdate, so that nobody can tell when it is out of date; have the CA set it");
    if (!der_time(&out->next_update, tbs)) return complain(diag, "its nextUpdate does not parse");
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
    if (!bytes_equal(der_span(&algorithm), out->body.algorithm))
        return complain(diag, "it names two different signature algorithms");
    out->issuer = der_span(&issuer);
    enum err err = read_times(out, &tbs, diag);
    if (err == ERR_OK) err = check_entries(out, &tbs, is_v2, diag);
    if (err == ERR_OK) err = check_extensions(&tbs, is_v2, diag);
    if (err == ERR_OK && CBS_len(&tbs) != 0) err = complain(diag, "does not parse");
    return err;
}

enum err crl_parse(struct crl *out, struct bytes der, struct diag *diag)
{
    CBS all = der_cbs(der), list, element, tbs;
    *out = (struct crl){0};
    if (!CBS_get_asn1(&all, &list, CBS_ASN1_SEQUENCE) || CBS_len(&all) != 0 || !signed_data_take(&out->body, &list) ||
        CBS_len(&list) != 0)
        return complain(diag, "does not parse");
    element = der_cbs(out->body.data);
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
