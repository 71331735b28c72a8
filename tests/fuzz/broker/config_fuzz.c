/* A configuration file: no input stops the parser; what is refused says where, unless it is the whole that does not fit together; and
 * read twice, as a loader and the broker do, it comes to the same, with nothing changed. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "broker/config.h"
#include "broker/config_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME "keyward.ini"

static enum err load(struct config *config, int file, struct diag *diag)
{
    struct opened opened = {.path = NAME, .fd = dup(file)};
    struct opener opener = {.files = &opened, .num_files = 1};
    *diag = (struct diag){0};
    CHECK(opened.fd >= 0);
    config_defaults(config);
    enum err err = config_file_load(config, &opener, NAME, diag);
    CHECK(opened.fd == -1);
    CHECK((err == ERR_OK) == (diag->text[0] == '\0'));
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config first, second;
    struct diag why, again;
    char changes[256];
    const int file = memfd_create("config", MFD_CLOEXEC);
    CHECK(file >= 0 && write(file, data, size) == (ssize_t)size);
    const enum err err = load(&first, file, &why);
    CHECK(load(&second, file, &again) == err);
    CHECK(strcmp(why.text, again.text) == 0);
    CHECK(!config_changes(changes, sizeof changes, &first, &second, CONFIG_ANY));
    if (err == ERR_INPUT) CHECK(strncmp(why.text, NAME ":", strlen(NAME) + 1) == 0);
    if (err == ERR_OK) (void)!config_check(&first, &why);
    close(file);
    return 0;
}
