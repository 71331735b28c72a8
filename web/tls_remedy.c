#include "web/tls_remedy.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#define SEND_ONE "have the client send a certificate (curl: --cert and --key), or see [tls] mode"

const char *tls_remedy_certificate(int error)
{
    switch (error) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
        return "if its clients are to be let in, name that CA with --client-ca, and have the client send its "
               "intermediates";
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return "give the client a certificate by the present CA, or name its own with --client-ca";
    case X509_V_ERR_CERT_HAS_EXPIRED: return "give the client a new certificate, or set this machine's clock";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "set the clock of this machine, or of the one that signed the certificate";
    case X509_V_ERR_INVALID_PURPOSE: return "give the client a certificate for client authentication (clientAuth)";
    case X509_V_ERR_CERT_REJECTED:
        return "give the client a certificate with P-256, P-384 or RSA from 2048 bits on, signed with SHA-256 or more";
    case X509_V_ERR_CERT_REVOKED: return "if its owner is to be let in, give him a new certificate";
    case X509_V_ERR_CRL_HAS_EXPIRED:
        return "put the CA's present list into the file of --crl and say broker reload, or set this machine's clock";
    case X509_V_ERR_CRL_NOT_YET_VALID: return "set the clock of this machine, or of the one that signed the list";
    case X509_V_ERR_UNABLE_TO_GET_CRL:
        return "put that CA's certificate into the file of --client-ca and its list into that of --crl, and say broker "
               "reload";
    case X509_V_ERR_CERT_CHAIN_TOO_LONG: return "have the client send its leaf and the intermediates above it alone";
    default: return "see what openssl verify says of the certificate";
    }
}

const char *tls_remedy_library(int reason)
{
    switch (reason) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return SEND_ONE;
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST: return "have the client use https://";
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_INVALID_OUTER_RECORD_TYPE:
    case SSL_R_UNEXPECTED_RECORD: return "see what connects to this port that is for TLS";
    case SSL_R_UNSUPPORTED_PROTOCOL: return "update the client; [tls] min_version says what is the least";
    case SSL_R_NO_SHARED_CIPHER: return "update the client; [tls] suites says what is taken";
    case SSL_R_NO_SHARED_GROUP: return "update the client; [tls] groups says what is taken";
    case SSL_R_NO_COMMON_SIGNATURE_ALGORITHMS:
        return "update the client, or bring the server a key of a kind that it takes";
    case SSL_R_NO_APPLICATION_PROTOCOL: return "have the client offer h2 or http/1.1; on the port of --echo nothing";
    case SSL_R_BAD_SIGNATURE: return "see whether the client's key belongs to its certificate";
    case SSL_R_EXCESSIVE_MESSAGE_SIZE: return "have the client send fewer or smaller certificates";
    default: return "see what the client says; its TLS and this one's do not agree";
    }
}

const char *tls_remedy_alert(int alert)
{
    switch (alert) {
    case SSL_AD_CLOSE_NOTIFY:
    case SSL_AD_USER_CANCELLED: return TLS_REMEDY_LEFT;
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_CERTIFICATE_UNKNOWN:
        return "have the client trust the CA that 'broker ca' prints, and use a name that the server's certificate has";
    case SSL_AD_CERTIFICATE_EXPIRED: return "set the client's clock, or this machine's";
    default: return "see what the client says: the objection is its own";
    }
}
