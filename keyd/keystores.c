#include "keyd/keystores.h"

static struct keystores_row *find(struct keystores *keystores, uint64_t setup)
{
    for (size_t i = 0; i < LIMIT_KEYD_SETUPS; i++) {
        struct keystores_row *row = &keystores->rows[i];
        if (row->keystore != NULL && row->setup == setup) return row;
    }
    return NULL;
}

static void drop(struct keystores_row *row)
{
    keystore_free(row->keystore);
    *row = (struct keystores_row){0};
}

/* One that nobody uses is kept if it is in force, or if it is still to be settled whether it will be. */
static void drop_unused(struct keystores *keystores)
{
    for (size_t i = 0; i < LIMIT_KEYD_SETUPS; i++) {
        struct keystores_row *row = &keystores->rows[i];
        const bool needed = row->setup == keystores->settled || row->setup == keystores->newest;
        if (row->keystore != NULL && row->num_channels == 0 && !needed) drop(row);
    }
}

enum err keystores_add(struct keystores *keystores, uint64_t setup, struct keystore *keystore)
{
    struct keystores_row *row = NULL;
    for (size_t i = 0; i < LIMIT_KEYD_SETUPS && row == NULL; i++) {
        if (keystores->rows[i].keystore == NULL) row = &keystores->rows[i];
    }
    if (row == NULL) return ERR_TOO_LARGE;
    const bool is_first = keystores_in_force(keystores) == NULL;
    *row = (struct keystores_row){.setup = setup, .keystore = keystore};
    keystores->newest = setup;
    if (is_first) keystores->settled = setup;
    drop_unused(keystores);
    return ERR_OK;
}

void keystores_settle(struct keystores *keystores, uint64_t setup)
{
    if (find(keystores, setup) == NULL) return;
    keystores->settled = keystores->newest = setup;
    drop_unused(keystores);
}

static struct keystore *of_setup(const struct keystores *keystores, uint64_t setup)
{
    for (size_t i = 0; i < LIMIT_KEYD_SETUPS; i++) {
        const struct keystores_row *row = &keystores->rows[i];
        if (row->keystore != NULL && row->setup == setup) return row->keystore;
    }
    return NULL;
}

struct keystore *keystores_in_force(const struct keystores *keystores)
{
    return of_setup(keystores, keystores->settled);
}

struct keystore *keystores_newest(const struct keystores *keystores)
{
    return of_setup(keystores, keystores->newest);
}

struct keystores_row *keystores_enter(struct keystores *keystores, uint64_t setup)
{
    struct keystores_row *row = find(keystores, setup != 0 ? setup : keystores->settled);
    if (row != NULL) row->num_channels++;
    return row;
}

void keystores_leave(struct keystores *keystores, struct keystores_row *row)
{
    row->num_channels--;
    drop_unused(keystores);
}

void keystores_free(struct keystores *keystores)
{
    for (size_t i = 0; i < LIMIT_KEYD_SETUPS; i++) drop(&keystores->rows[i]);
}
