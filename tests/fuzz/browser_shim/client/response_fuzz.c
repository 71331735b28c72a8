/* Any bytes as what a server answers, cut up as the first byte says. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "browser-shim/client_response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int nowhere = -1;
    if (nowhere < 0) nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere < 0) abort();
    if (size == 0) return 0;
    struct diag diag = {{0}};
    struct client_output output = {.fd = nowhere, .dir = -1};
    struct client_progress progress = {.what = NULL};
    struct client_response response;
    client_response_init(&response, &output, &progress, &diag);
    size_t step = data[0] > 0 ? data[0] : size;
    enum err err = ERR_OK;
    for (size_t at = 1; at < size && err == ERR_OK; at += step) {
        err = client_response_feed(&response, data + at, size - at < step ? size - at : step);
    }
    if (err == ERR_OK) err = client_response_end(&response);
    /* Complete or an error with a word about it, and never a final status of 1xx. */
    if (response.complete != (err == ERR_OK)) abort();
    if (err != ERR_OK && diag.text[0] == '\0') abort();
    if (response.complete && response.status < 200) abort();
    return 0;
}
