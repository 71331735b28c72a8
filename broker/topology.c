#include "broker/topology.h"

#include "base/check.h"

/* clang-format off */
/* Every channel there is. The broker makes all of them, so that what is not here cannot talk: web to the shim, for one,
 * or the shim to keyd but for its handle. */
const struct topology topology[] = {
    /*             name            file            package         user              id     to the broker        to keyd            for */
    {PROGRAM_NONE, "broker",       "broker",       "broker",       "keyward-broker", 61100, LINK_BROKER_SPAWNER, LINK_NUM_ROLES,    PURPOSE_NONE},
    {PROGRAM_KEYD, "keyd",         "keyd",         "keyd",         "keyward-keyd",   61101, LINK_BROKER_KEYD,    LINK_NUM_ROLES,    PURPOSE_NONE},
    {PROGRAM_WEB,  "web",          "web",          "web",          "keyward-web",    61102, LINK_BROKER_WEB,     LINK_SIGN_SERVER,  PURPOSE_TLS_SERVER},
    {PROGRAM_SHIM, "browser-shim", "browser-shim", "browser-shim", "keyward-shim",   61103, LINK_BROKER_SHIM,    LINK_SIGN_BROWSER, PURPOSE_BROWSER_DIGEST},
    {PROGRAM_NONE, "gateway",      NULL,           NULL,           NULL,             0,     LINK_NUM_ROLES,      LINK_SIGN_GATEWAY, PURPOSE_GATEWAY},
    {PROGRAM_NONE, "control",      NULL,           NULL,           NULL,             0,     LINK_CONTROL,        LINK_SIGN_CLIENT,  PURPOSE_TLS_CLIENT},
};
/* clang-format on */

const size_t topology_len = sizeof topology / sizeof *topology;

const struct topology *topology_of(enum program program)
{
    const struct topology *row = NULL;
    for (size_t i = 0; i < topology_len; i++) {
        if (program != PROGRAM_NONE && topology[i].program == program) row = &topology[i];
    }
    CHECK(row != NULL);
    return row;
}

const struct topology *topology_broker(void)
{
    return &topology[0];
}
