#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

const char *err_name(enum err err)
{
    switch (err) {
    case ERR_OK: return "ok";
    case ERR_SYSTEM: return "system";
    case ERR_MEMORY: return "memory";
    case ERR_INPUT: return "input";
    case ERR_MALFORMED: return "malformed";
    case ERR_TOO_LARGE: return "too large";
    case ERR_AGAIN: return "again";
    case ERR_CLOSED: return "closed";
    case ERR_DENIED: return "denied";
    case ERR_NOT_FOUND: return "not found";
    case ERR_CRYPTO: return "crypto";
    case ERR_TIMEOUT: return "timeout";
    }
    return "unknown";
}

int err_exit_code(enum err err)
{
    if (err == ERR_OK) return 0;
    return err == ERR_INPUT || err == ERR_NOT_FOUND ? EXIT_INPUT : EXIT_SYSTEM;
}

enum err diag_set(struct diag *diag, enum err err, const char *format, ...)
{
    if (diag == NULL) return err;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(diag->text, sizeof(diag->text), format, args);
    va_end(args);
    if (len < 0) diag->text[0] = '\0';
    for (char *c = diag->text; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
    }
    return err;
}
