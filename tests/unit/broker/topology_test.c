/* The table of who may talk to whom. */
#include "broker/topology.h"

#include <criterion/criterion.h>
#include <string.h>

Test(topology, has_a_row_for_every_program)
{
    for (int program = PROGRAM_NONE + 1; program < PROGRAM_NUM; program++) {
        cr_assert_eq(topology_of((enum program)program)->program, (enum program)program);
    }
    cr_assert_str_eq(topology_broker()->name, "broker");
}

Test(topology, gives_nobody_the_user_of_another)
{
    for (size_t i = 0; i < topology_len; i++) {
        for (size_t j = 0; j < i; j++) {
            if (!topology[i].user || !topology[j].user) continue;
            cr_assert_neq(topology[i].id, topology[j].id);
            cr_assert_str_neq(topology[i].user, topology[j].user);
        }
        if (topology[i].user) cr_assert_gt(topology[i].id, 0);
    }
}

Test(topology, gives_every_kind_of_channel_to_one_program)
{
    unsigned links[LINK_NUM_ROLES + 1] = {0}, grants[PURPOSE_NUM] = {0};
    for (size_t i = 0; i < topology_len; i++) {
        links[topology[i].link]++;
        links[topology[i].sign]++;
        grants[topology[i].grant]++;
    }
    for (int role = 0; role < LINK_NUM_ROLES; role++) cr_assert_eq(links[role], 1, "role %d", role);
    for (int purpose = PURPOSE_NONE + 1; purpose < PURPOSE_NUM; purpose++) cr_assert_eq(grants[purpose], 1);
}

Test(topology, gives_keyd_no_channel_to_itself)
{
    cr_assert_eq(topology_of(PROGRAM_KEYD)->sign, LINK_NUM_ROLES);
    cr_assert_eq(topology_of(PROGRAM_WEB)->grant, PURPOSE_TLS_SERVER);
    cr_assert_eq(topology_of(PROGRAM_SHIM)->grant, PURPOSE_BROWSER_DIGEST);
}
