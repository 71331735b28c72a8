/* The files that say whose clients are let in: further client CAs, and their revocation lists. What is in them the broker does not look into; web does. */
#ifndef KEYWARD_BROKER_TRUST_FILES_H
#define KEYWARD_BROKER_TRUST_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "broker/config.h"
#include "broker/opener.h"

enum trust_kind { TRUST_CLIENT_CA, TRUST_CRL, TRUST_NUM };

/* Zero state: none. */
struct trust_files {
    uint8_t *text[TRUST_NUM]; /* NULL: not configured */
    size_t len[TRUST_NUM];
};

/* trust_files_open reads those that are configured. ERR_INPUT and the like with a diagnostic that names the option and the file: not to
 * be read, not regular, too long, or not PEM where it has to be. What was read stays out's. */
MUST_CHECK enum err trust_files_open(struct trust_files *out, struct opener *opener, const struct config *config,
                                     struct diag *diag);

void trust_files_free(struct trust_files *files);

/* trust_files_get returns what is in a file; empty: not configured. */
struct bytes trust_files_get(const struct trust_files *files, enum trust_kind kind);

/* trust_files_equal says whether both hold the same bytes. */
bool trust_files_equal(const struct trust_files *a, const struct trust_files *b);

/* trust_files_blame: web was given the files without their names, and says what is wrong with one of them. Returns what follows in
 * its text, and which option and file it is; NULL if it is about neither. */
const char *trust_files_blame(const char **out_flag, const char **out_path, const struct config *config,
                              const char *text);

#endif
