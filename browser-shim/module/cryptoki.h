/* PKCS #11 2.40 in p11-kit's spelling (struct ck_info, ck_rv_t), and the few of NSS's own numbers that its header
 * offers only in the other spelling. */
#ifndef KEYWARD_BROWSER_SHIM_MODULE_CRYPTOKI_H
#define KEYWARD_BROWSER_SHIM_MODULE_CRYPTOKI_H

#define CRYPTOKI_GNU 1
#include <p11-kit-1/p11-kit/pkcs11.h>

/* The function table's, whatever version the installed header has got to: a caller reads as far as this says. */
#define MODULE_CRYPTOKI_VERSION \
    {                           \
        2, 40                   \
    }

/* NSS, lib/util/pkcs11n.h: how far a certificate is trusted, as an object of its own. */
#define CKO_NSS_TRUST 0xce534353UL
#define CKA_NSS_TRUST_SERVER_AUTH 0xce536358UL
#define CKA_NSS_TRUST_CLIENT_AUTH 0xce536359UL
#define CKA_NSS_TRUST_CODE_SIGNING 0xce53635aUL
#define CKA_NSS_TRUST_EMAIL_PROTECTION 0xce53635bUL
#define CKA_NSS_TRUST_STEP_UP_APPROVED 0xce536360UL
#define CKA_NSS_CERT_SHA1_HASH 0xce5363b4UL
#define CKT_NSS_TRUSTED_DELEGATOR 0xce534352UL
#define CKT_NSS_TRUST_UNKNOWN 0xce534355UL

#define CK_TRUE 1
#define CK_FALSE 0

#endif
