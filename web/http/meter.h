/* A token bucket, for things that a peer may do now and then but not all the time. */
#ifndef KEYWARD_WEB_HTTP_METER_H
#define KEYWARD_WEB_HTTP_METER_H

#include <stdint.h>

struct meter {
    uint64_t burst;
    uint64_t per_second;
    uint64_t tokens; /* thousandths */
    uint64_t last_ms;
};

void meter_init(struct meter *meter, uint64_t burst, uint64_t per_second, uint64_t now_ms);

enum meter_verdict { METER_FINE, METER_FLOOD };

/* meter_count takes one token, and says whether there was one. */
enum meter_verdict meter_count(struct meter *meter, uint64_t now_ms);

#endif
