/* Any text as a URL and as HOST:PORT. What is taken goes into a request line and a Host field. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "browser-shim/client_address.h"

static void expect_printable(const char *text)
{
    if (text[0] == '\0') abort();
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text > '~') abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (text == NULL) abort();
    if (size > 0) memcpy(text, data, size);
    text[size] = '\0';
    struct client_url url;
    struct client_address address;
    struct diag diag = {{0}};
    if (client_url_parse(&url, text, &diag) == ERR_OK) {
        expect_printable(url.authority);
        expect_printable(url.target);
        expect_printable(url.address.host);
        if (url.target[0] != '/' || strchr(url.target, '#') != NULL) abort();
    }
    if (client_address_parse(&address, text, &diag) == ERR_OK) {
        expect_printable(address.host);
        if (atoi(address.port) < 1 || atoi(address.port) > 65535) abort();
    }
    free(text);
    return 0;
}
