#include "base/log_rate.h"

bool log_rate_admit(struct log_rate *rate, uint64_t *out_withheld, uint64_t now_ms, unsigned per_second)
{
    uint64_t second = now_ms / 1000;
    if (second != rate->second) {
        rate->second = second;
        rate->count = 0;
    }
    if (rate->count >= per_second) {
        rate->withheld++;
        return false;
    }
    rate->count++;
    *out_withheld = rate->withheld;
    rate->withheld = 0;
    return true;
}
