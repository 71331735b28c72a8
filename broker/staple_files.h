/* OCSP responses that an operator's CA has made, to be stapled to server certificates. What is in them the broker does not look into; web does. */
#ifndef KEYWARD_BROKER_STAPLE_FILES_H
#define KEYWARD_BROKER_STAPLE_FILES_H

#include "base/bytes.h"
#include "base/err.h"
#include "broker/config.h"
#include "broker/opener.h"

/* Zero state: none. The bytes are malloc's; empty: none is configured. */
struct staple_files {
    struct bytes server;                           /* the default certificate's */
    struct bytes named[LIMIT_SERVER_CERTIFICATES]; /* by the configuration's index */
};

/* staple_files_open reads those that are configured. ERR_INPUT and the like with a diagnostic that names the option and the file: not
 * to be read, not regular, empty, too long, or not DER. What was read stays out's. */
MUST_CHECK enum err staple_files_open(struct staple_files *out, struct opener *opener, const struct config *config,
                                      struct diag *diag);

void staple_files_free(struct staple_files *files);

/* staple_files_blame is trust_files_blame for these: web says what is wrong with one of them, and out_option gets which option of which
 * section it is. */
const char *staple_files_blame(char *out_option, size_t out_len, const char **out_path, const struct config *config,
                               const char *text);

#endif
