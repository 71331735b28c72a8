#include "web/http/meter.h"

void meter_init(struct meter *meter, uint64_t burst, uint64_t per_second, uint64_t now_ms)
{
    *meter = (struct meter){.burst = burst, .per_second = per_second, .tokens = burst * 1000, .last_ms = now_ms};
}

enum meter_verdict meter_count(struct meter *meter, uint64_t now_ms)
{
    meter->tokens += (now_ms - meter->last_ms) * meter->per_second;
    meter->last_ms = now_ms;
    if (meter->tokens > meter->burst * 1000) meter->tokens = meter->burst * 1000;
    if (meter->tokens < 1000) return METER_FLOOD;
    meter->tokens -= 1000;
    return METER_FINE;
}
