#include "http1_rows.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "http1_client.h"

static const size_t steps[] = {1, 2, 3, 7, 64, 1 << 20};
#define NUM_STEPS (sizeof(steps) / sizeof(steps[0]))

void check_row(const struct row *row, size_t len)
{
    struct text first = {0};
    for (size_t i = 0; i < NUM_STEPS; i++) {
        struct rig rig;
        rig_init(&rig, &(struct rig_config){0});
        rig_start_http1(&rig);
        rig.out_step = steps[i] > 4096 ? 4096 : steps[i];
        struct text out = {0};
        rig_talk(&rig, &out, row->request, len, steps[i]);
        char got[64];
        statuses(got, sizeof(got), &out);
        cr_expect_str_eq(got, row->statuses, "%.80s: got '%s', want '%s'", row->request, got, row->statuses);
        cr_expect_eq(rig_wants_close(&rig), row->closes, "%.80s: closes %d", row->request, rig_wants_close(&rig));
        char *log = rig_log(&rig);
        if (row->reason == NULL)
            cr_expect_null(strstr(log, "refused"), "%.80s: %s", row->request, log);
        else
            cr_expect_not_null(strstr(log, row->reason), "%.80s: want '%s', log %s", row->request, row->reason, log);
        free(log);
        without_date(&out);
        if (i == 0) text_add(&first, out.data, out.len);
        cr_expect(out.len == first.len && memcmp(out.data, first.data, out.len) == 0,
                  "%.80s: pieces of %zu bytes get another answer", row->request, steps[i]);
        text_free(&out);
        rig_cleanup(&rig);
    }
    text_free(&first);
}

void check_rows(const struct row *rows, size_t num_rows)
{
    for (size_t i = 0; i < num_rows; i++) check_row(&rows[i], strlen(rows[i].request));
}
