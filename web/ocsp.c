#include "web/ocsp.h"

#include <openssl/bytestring.h>

#include "web/der.h"

#define AGAIN "ask the responder again"

#define TAG(n) (CBS_ASN1_CONTEXT_SPECIFIC | (n))
#define TAG_EXPLICIT(n) (CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | (n))

static enum err complain(struct diag *diag, const char *why)
{
    return diag_set(diag, ERR_INPUT, "%s", why);
}

/* ---- What is said of a certificate ------------------------------------------------------------------------------ */

/* Extensions, in the explicit tag given; they may be missing. None of those that there are changes what is said, unless it is critical. */
static enum err check_extensions(CBS *in, CBS_ASN1_TAG tag, struct diag *diag)
{
    CBS wrapper, extensions;
    int present;
    if (!CBS_get_optional_asn1(in, &wrapper, &present, tag)) return complain(diag, "its extensions do not parse");
    if (!present) return ERR_OK;
    if (!CBS_get_asn1(&wrapper, &extensions, CBS_ASN1_SEQUENCE) || CBS_len(&wrapper) != 0)
        return complain(diag, "its extensions do not parse");
    while (CBS_len(&extensions) > 0) {
        struct der_extension extension;
        if (!der_extension(&extension, &extensions)) return complain(diag, "its extensions do not parse");
        if (extension.critical) return der_refuse_unknown(&extension, "get one without", diag);
    }
    return ERR_OK;
}

/* The algorithms that there are have no parameters, which is written as NULL or not at all. */
static bool read_hash(struct ocsp_single *out, CBS *id)
{
    CBS algorithm, oid, null;
    if (!CBS_get_asn1(id, &algorithm, CBS_ASN1_SEQUENCE) || !CBS_get_asn1(&algorithm, &oid, CBS_ASN1_OBJECT))
        return false;
    out->hash = der_span(&oid);
    return CBS_len(&algorithm) == 0 ||
           (CBS_get_asn1(&algorithm, &null, CBS_ASN1_NULL) && CBS_len(&null) == 0 && CBS_len(&algorithm) == 0);
}

/* CertID. */
static bool read_id(struct ocsp_single *out, CBS *single)
{
    CBS id, name, key, serial;
    if (!CBS_get_asn1(single, &id, CBS_ASN1_SEQUENCE) || !read_hash(out, &id) ||
        !CBS_get_asn1(&id, &name, CBS_ASN1_OCTETSTRING) || !CBS_get_asn1(&id, &key, CBS_ASN1_OCTETSTRING) ||
        !CBS_get_asn1(&id, &serial, CBS_ASN1_INTEGER) || CBS_len(&id) != 0 || !CBS_is_valid_asn1_integer(&serial, NULL))
        return false;
    out->issuer_name = der_span(&name);
    out->issuer_key = der_span(&key);
    out->serial = der_span(&serial);
    return true;
}

/* When and why it was revoked is not kept: one that is revoked is of no use. */
static bool read_revoked(CBS *info)
{
    CBS wrapper, reason;
    uint64_t revoked_at;
    int present;
    return CBS_peek_asn1_tag(info, CBS_ASN1_GENERALIZEDTIME) && der_time(&revoked_at, info) &&
           CBS_get_optional_asn1(info, &wrapper, &present, TAG_EXPLICIT(0)) && CBS_len(info) == 0 &&
           (!present ||
            (CBS_get_asn1(&wrapper, &reason, CBS_ASN1_ENUMERATED) && CBS_len(&reason) == 1 && CBS_len(&wrapper) == 0));
}

/* CertStatus. */
static bool read_status(struct ocsp_single *out, CBS *single)
{
    CBS status;
    CBS_ASN1_TAG tag;
    if (!CBS_get_any_asn1(single, &status, &tag)) return false;
    if (tag == TAG_EXPLICIT(1)) {
        out->status = OCSP_REVOKED;
        return read_revoked(&status);
    }
    out->status = tag == TAG(0) ? OCSP_GOOD : OCSP_UNKNOWN;
    return (tag == TAG(0) || tag == TAG(2)) && CBS_len(&status) == 0;
}

static enum err read_times(struct ocsp_single *out, CBS *single, struct diag *diag)
{
    CBS wrapper;
    int present;
    if (!CBS_peek_asn1_tag(single, CBS_ASN1_GENERALIZEDTIME) || !der_time(&out->this_update, single) ||
        !CBS_get_optional_asn1(single, &wrapper, &present, TAG_EXPLICIT(0)))
        return complain(diag, "its thisUpdate does not parse");
    if (!present)
        return complain(
            diag, "it has no nextUpdate, so that nobody can tell when it is out of date; have the responder set it");
    if (!CBS_peek_asn1_tag(&wrapper, CBS_ASN1_GENERALIZEDTIME) || !der_time(&out->next_update, &wrapper) ||
        CBS_len(&wrapper) != 0)
        return complain(diag, "its nextUpdate does not parse");
    return out->next_update >= out->this_update ? ERR_OK
                                                : complain(diag, "its nextUpdate is before its thisUpdate; " AGAIN);
}

static enum err read_single(struct ocsp_single *out, CBS *singles, struct diag *diag)
{
    CBS single;
    *out = (struct ocsp_single){0};
    if (!CBS_get_asn1(singles, &single, CBS_ASN1_SEQUENCE) || !read_id(out, &single) || !read_status(out, &single))
        return complain(diag, "what it says of a certificate does not parse");
    enum err err = read_times(out, &single, diag);
    if (err == ERR_OK) err = check_extensions(&single, TAG_EXPLICIT(1), diag);
    if (err != ERR_OK || CBS_len(&single) == 0) return err;
    return complain(diag, "what it says of a certificate does not parse");
}

bool ocsp_next(struct ocsp_single *out, struct bytes *singles)
{
    CBS rest = der_cbs(*singles);
    if (singles->len == 0 || read_single(out, &rest, NULL) != ERR_OK) return false;
    *singles = der_span(&rest);
    return true;
}

/* ---- The response ----------------------------------------------------------------------------------------------- */

/* There is version 1 alone, which DER does not write. */
static bool read_responder(struct ocsp_response *out, CBS *data)
{
    CBS by, element;
    CBS_ASN1_TAG tag;
    if (!CBS_get_any_asn1(data, &by, &tag)) return false;
    if (tag == TAG_EXPLICIT(1)) {
        if (!CBS_get_asn1_element(&by, &element, CBS_ASN1_SEQUENCE)) return false;
        out->responder_name = der_span(&element);
    } else if (tag == TAG_EXPLICIT(2)) {
        if (!CBS_get_asn1(&by, &element, CBS_ASN1_OCTETSTRING) || CBS_len(&element) == 0) return false;
        out->responder_key = der_span(&element);
    } else {
        return false;
    }
    return CBS_len(&by) == 0;
}

/* ResponseData. */
static enum err read_data(struct ocsp_response *out, CBS data, struct diag *diag)
{
    CBS singles;
    uint64_t produced_at;
    if (!read_responder(out, &data) || !CBS_peek_asn1_tag(&data, CBS_ASN1_GENERALIZEDTIME) ||
        !der_time(&produced_at, &data) || !CBS_get_asn1(&data, &singles, CBS_ASN1_SEQUENCE))
        return complain(diag, "does not parse");
    out->singles = der_span(&singles);
    while (CBS_len(&singles) > 0) {
        struct ocsp_single single;
        enum err err = read_single(&single, &singles, diag);
        if (err != ERR_OK) return err;
    }
    enum err err = check_extensions(&data, TAG_EXPLICIT(1), diag);
    if (err != ERR_OK || CBS_len(&data) == 0) return err;
    return complain(diag, "does not parse");
}

static bool read_certificates(struct ocsp_response *out, CBS *basic)
{
    CBS wrapper, list, element;
    int present;
    if (!CBS_get_optional_asn1(basic, &wrapper, &present, TAG_EXPLICIT(0))) return false;
    if (!present) return true;
    if (!CBS_get_asn1(&wrapper, &list, CBS_ASN1_SEQUENCE) || CBS_len(&wrapper) != 0) return false;
    out->certificates = der_span(&list);
    while (CBS_len(&list) > 0)
        if (!CBS_get_asn1_element(&list, &element, CBS_ASN1_SEQUENCE)) return false;
    return true;
}

/* BasicOCSPResponse. */
static enum err read_basic(struct ocsp_response *out, CBS outer, struct diag *diag)
{
    CBS basic, element, data;
    if (!CBS_get_asn1(&outer, &basic, CBS_ASN1_SEQUENCE) || CBS_len(&outer) != 0 ||
        !signed_data_take(&out->body, &basic) || !read_certificates(out, &basic) || CBS_len(&basic) != 0)
        return complain(diag, "does not parse");
    element = der_cbs(out->body.data);
    if (!CBS_get_asn1(&element, &data, CBS_ASN1_SEQUENCE)) return complain(diag, "does not parse");
    return read_data(out, data, diag);
}

/* OCSPResponseStatus. */
static enum err refuse_status(unsigned status, struct diag *diag)
{
    static const char *const names[] = {
        [1] = "malformedRequest", [2] = "internalError", [3] = "tryLater", [5] = "sigRequired", [6] = "unauthorized"};
    const char *name = status < sizeof names / sizeof *names ? names[status] : NULL;
    return diag_set(diag, ERR_INPUT, "the responder had no answer (%s); " AGAIN, name != NULL ? name : "for no reason");
}

enum err ocsp_parse(struct ocsp_response *out, struct bytes der, struct diag *diag)
{
    static const uint8_t id_basic[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01};
    CBS all = der_cbs(der), response, status, wrapper, bytes, type, octets;
    *out = (struct ocsp_response){0};
    if (!CBS_get_asn1(&all, &response, CBS_ASN1_SEQUENCE) || CBS_len(&all) != 0 ||
        !CBS_get_asn1(&response, &status, CBS_ASN1_ENUMERATED) || CBS_len(&status) != 1)
        return complain(diag, "is no OCSP response in DER; " AGAIN);
    if (CBS_data(&status)[0] != 0) return refuse_status(CBS_data(&status)[0], diag);
    if (!CBS_get_asn1(&response, &wrapper, TAG_EXPLICIT(0)) || CBS_len(&response) != 0 ||
        !CBS_get_asn1(&wrapper, &bytes, CBS_ASN1_SEQUENCE) || CBS_len(&wrapper) != 0 ||
        !CBS_get_asn1(&bytes, &type, CBS_ASN1_OBJECT) || !CBS_get_asn1(&bytes, &octets, CBS_ASN1_OCTETSTRING) ||
        CBS_len(&bytes) != 0)
        return complain(diag, "does not parse");
    if (!CBS_mem_equal(&type, id_basic, sizeof id_basic))
        return complain(diag, "it is of another type than id-pkix-ocsp-basic; " AGAIN);
    return read_basic(out, octets, diag);
}
