#include "browser-shim/client_refusal.h"

#define IS_A_BUG "the broker and this program may be of two versions: restart the broker"

const char *client_refusal_remedy(enum refusal refusal)
{
    switch (refusal) {
    case REFUSAL_PURPOSE: return "ask for a handle with this program, or derive from one that is a client's";
    case REFUSAL_SCHEME: return "have the server take the client key's scheme (P-256: ecdsa_secp256r1_sha256)";
    case REFUSAL_PARAMETERS: return IS_A_BUG;
    case REFUSAL_EXPIRED: return "try again: each run asks for a new one; a parent needs to be minted anew";
    case REFUSAL_EXHAUSTED: return "try again: each run asks for a new one; a parent needs to be minted anew";
    case REFUSAL_NOT_PINNED: return IS_A_BUG;
    case REFUSAL_WRONG_PROCESS: return "use it from the process that it is for, or ask for a handle of your own";
    case REFUSAL_MALFORMED: return IS_A_BUG;
    case REFUSAL_BUSY: return "try again in a moment";
    case REFUSAL_INTERNAL: return "try again; if it stays, see what the broker logs of keyd and restart it";
    case REFUSAL_UNEXPECTED: return "try again; if it stays, this is not the server that keyd signs for";
    case REFUSAL_TRANSCRIPT: return "the server has to ask for a client certificate in a TLS 1.3 handshake";
    case REFUSAL_SERVER:
        return "connect to the server that the handle is for, under its name; the broker logs the handle";
    case REFUSAL_RATE: return "wait a second and try again, or have a handle minted with a higher rate";
    case REFUSAL_STRONGER: return "ask for no more than the handle it is derived from allows";
    case REFUSAL_HELD: return "make room for the audit log and see what the broker logs of it, then try again";
    case REFUSAL_REVOKED: return "ask whoever revoked it; the broker logs it";
    case REFUSAL_NONE:
    case REFUSAL_NUM: break;
    }
    return IS_A_BUG;
}
