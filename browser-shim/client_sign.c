#include "browser-shim/client_sign.h"

#include <string.h>

enum err client_sign_transcript_hash(struct bytes *out, struct bytes content)
{
    static const char context[] = "TLS 1.3, client CertificateVerify"; /* its NUL is the zero byte */
    enum { PADDING = 64, HEAD = PADDING + sizeof context };
    if (content.len != HEAD + 32 && content.len != HEAD + 48) return ERR_INPUT;
    for (size_t i = 0; i < PADDING; i++) {
        if (content.data[i] != ' ') return ERR_INPUT;
    }
    if (memcmp(content.data + PADDING, context, sizeof context) != 0) return ERR_INPUT;
    *out = (struct bytes){content.data + HEAD, content.len - HEAD};
    return ERR_OK;
}
