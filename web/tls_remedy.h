/* What to do about a handshake that failed, for the person who reads of it. Never NULL. */
#ifndef KEYWARD_WEB_TLS_REMEDY_H
#define KEYWARD_WEB_TLS_REMEDY_H

#define TLS_REMEDY_KEYD "see what the broker and keyd log; 'broker status' shows whether keyd runs"
#define TLS_REMEDY_LEFT "none, unless it repeats: then see what the client says"
#define TLS_REMEDY_LATE "none, unless it repeats: then see what is between the client and this machine"
#define TLS_REMEDY_CROWD "none, unless it repeats: then see who opens connections and says nothing"
#define TLS_REMEDY_LIMIT "none, if that client is to be kept to it; [limits] says how much is let in"
#define TLS_REMEDY_NO_HANDLE "have it connect with a handle, through browser-shim on this machine"

/* tls_remedy_certificate: the client's chain was refused with this X509_V_ERR_... */
const char *tls_remedy_certificate(int error);

/* tls_remedy_library: BoringSSL gave this reason, SSL_R_... */
const char *tls_remedy_library(int reason);

/* tls_remedy_alert: the client sent this alert (RFC 8446, 6). */
const char *tls_remedy_alert(int alert);

#endif
