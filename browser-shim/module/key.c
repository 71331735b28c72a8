#include "browser-shim/module/key.h"

#include <string.h>

#include "proto/message.h"

static const struct key ec_keys[] = {
    {DER_KEY_P256, 256, CKM_ECDSA, CKF_SIGN | CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS, 64},
    {DER_KEY_P384, 384, CKM_ECDSA, CKF_SIGN | CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS, 96},
};

/* TLS's three: the mask's hash is the signature's, and the salt is as long as it. */
static const struct {
    struct ck_rsa_pkcs_pss_params parameters;
    uint16_t scheme;
} pss[] = {
    {{CKM_SHA256, CKG_MGF1_SHA256, 32}, SCHEME_RSA_PSS_SHA256},
    {{CKM_SHA384, CKG_MGF1_SHA384, 48}, SCHEME_RSA_PSS_SHA384},
    {{CKM_SHA512, CKG_MGF1_SHA512, 64}, SCHEME_RSA_PSS_SHA512},
};

enum err key_init(struct key *out, const struct der_certificate *certificate)
{
    for (size_t i = 0; i < sizeof ec_keys / sizeof *ec_keys; i++) {
        if (ec_keys[i].kind != certificate->key) continue;
        *out = ec_keys[i];
        return ERR_OK;
    }
    size_t len = certificate->modulus.len;
    if (certificate->key != DER_KEY_RSA || (len != 256 && len != 384 && len != 512)) return ERR_INPUT;
    *out = (struct key){DER_KEY_RSA, 8 * len, CKM_RSA_PKCS_PSS, CKF_SIGN, len};
    return ERR_OK;
}

static ck_rv_t use_pss(struct key_use *out, const struct ck_mechanism *mechanism)
{
    struct ck_rsa_pkcs_pss_params given;
    if (mechanism->parameter == NULL || mechanism->parameter_len != sizeof given) return CKR_MECHANISM_PARAM_INVALID;
    memcpy(&given, mechanism->parameter, sizeof given);
    for (size_t i = 0; i < sizeof pss / sizeof *pss; i++) {
        const struct ck_rsa_pkcs_pss_params *known = &pss[i].parameters;
        if (given.hash_alg != known->hash_alg || given.mgf != known->mgf || given.s_len != known->s_len) continue;
        *out = (struct key_use){pss[i].scheme, known->s_len};
        return CKR_OK;
    }
    return CKR_MECHANISM_PARAM_INVALID;
}

ck_rv_t key_use_init(struct key_use *out, const struct key *key, const struct ck_mechanism *mechanism)
{
    if (mechanism->mechanism != key->mechanism) return CKR_MECHANISM_INVALID;
    if (key->kind == DER_KEY_RSA) return use_pss(out, mechanism);
    if (mechanism->parameter_len != 0) return CKR_MECHANISM_PARAM_INVALID;
    *out = key->kind == DER_KEY_P256 ? (struct key_use){SCHEME_ECDSA_P256_SHA256, 32}
                                     : (struct key_use){SCHEME_ECDSA_P384_SHA384, 48};
    return CKR_OK;
}
