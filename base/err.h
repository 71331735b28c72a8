/* What can go wrong, and how a person hears of it.
 *
 * A function that can fail returns an enum err. Where a person will read about the failure (start-up, configuration,
 * the command line) it also fills a diagnostic: what, which object, why, what to do. Return or log, never both. */
#ifndef KEYWARD_BASE_ERR_H
#define KEYWARD_BASE_ERR_H

#include <stddef.h>

enum err {
    ERR_OK = 0,
    ERR_SYSTEM,    /* the kernel refused; errno says why where it happened */
    ERR_MEMORY,    /* no memory */
    ERR_INPUT,     /* what a person gave us is wrong: a flag, a file, an address */
    ERR_MALFORMED, /* a peer sent what is not a message of the protocol */
    ERR_TOO_LARGE, /* over a limit of base/limits.h */
    ERR_AGAIN,     /* not now: the descriptor is not ready */
    ERR_CLOSED,    /* the other end is gone */
    ERR_DENIED,    /* well-formed and not allowed */
    ERR_NOT_FOUND,
    ERR_CRYPTO,  /* BoringSSL refused */
    ERR_TIMEOUT, /* a deadline passed */
};

#define MUST_CHECK __attribute__((warn_unused_result))

/* err_name returns a short name such as "malformed". Never NULL. */
const char *err_name(enum err err);

/* Exit codes of every program: 100 where the caller has to change something, 111 where the system failed. */
enum { EXIT_INPUT = 100, EXIT_SYSTEM = 111 };

/* err_exit_code maps ERR_OK to 0, ERR_INPUT and ERR_NOT_FOUND to 100, all else to 111. */
int err_exit_code(enum err err);

/* A sentence or two for a person. Zero state: no text. */
struct diag {
    char text[1024];
};

/* diag_set formats the sentence (cut if too long, control characters shown as '?') and returns err, so that a failing
 * function can end with: return diag_set(diag, ERR_INPUT, "...", ...). A NULL diag is allowed. */
enum err diag_set(struct diag *diag, enum err err, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
