/* The configuration file, an INI file read by libinih. */
#ifndef KEYWARD_BROKER_CONFIG_FILE_H
#define KEYWARD_BROKER_CONFIG_FILE_H

#include "broker/config.h"
#include "broker/opener.h"

/* config_file_load sets what the file at path says, which opener opens. Unknown sections and keys, keys that are set twice, bad values,
 * lines that are too long or are no INI: ERR_INPUT, with FILE:LINE in the diagnostic. */
MUST_CHECK enum err config_file_load(struct config *config, struct opener *opener, const char *path, struct diag *diag);

#endif
