#include "broker/audit_time.h"

#include <stdio.h>
#include <string.h>

#define DAY_MS UINT64_C(86400000)

/* Days and dates of the Gregorian calendar, counted from 0000-03-01, so that a leap day is a year's last. */
#define DAYS_TO_EPOCH 719468u
#define DAYS_OF_400_YEARS 146097u

static void date_of_day(unsigned *year, unsigned *month, unsigned *day, unsigned days)
{
    unsigned shifted = days + DAYS_TO_EPOCH;
    unsigned era = shifted / DAYS_OF_400_YEARS, of_era = shifted % DAYS_OF_400_YEARS;
    unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned from_march = (5 * of_year + 2) / 153;
    *day = of_year - (153 * from_march + 2) / 5 + 1;
    *month = from_march < 10 ? from_march + 3 : from_march - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

static unsigned day_of_date(unsigned year, unsigned month, unsigned day)
{
    unsigned shifted = year - (month <= 2);
    unsigned era = shifted / 400, year_of_era = shifted % 400;
    unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    return era * DAYS_OF_400_YEARS + of_era - DAYS_TO_EPOCH;
}

void audit_time_format(char out[AUDIT_TIME + 1], uint64_t ms)
{
    unsigned year, month, day;
    if (ms > AUDIT_TIME_MAX) ms = AUDIT_TIME_MAX;
    unsigned left = (unsigned)(ms % DAY_MS);
    date_of_day(&year, &month, &day, (unsigned)(ms / DAY_MS));
    snprintf(out, AUDIT_TIME + 1, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", year % 10000, month % 100, day % 100,
             left / 3600000 % 100, left / 60000 % 60, left / 1000 % 60, left % 1000);
}

static bool read_digits(unsigned *out, const char *text, unsigned num)
{
    *out = 0;
    for (unsigned i = 0; i < num; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        *out = *out * 10 + (unsigned)(text[i] - '0');
    }
    return true;
}

/* What is no date, such as the 30th of February, does not come out as it went in. */
bool audit_time_parse(uint64_t *out_ms, const char text[AUDIT_TIME])
{
    unsigned year, month, day, hour, minute, second, ms;
    char again[AUDIT_TIME + 1];
    if (!read_digits(&year, text, 4) || !read_digits(&month, text + 5, 2) || !read_digits(&day, text + 8, 2) ||
        !read_digits(&hour, text + 11, 2) || !read_digits(&minute, text + 14, 2) ||
        !read_digits(&second, text + 17, 2) || !read_digits(&ms, text + 20, 3))
        return false;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31) return false;
    uint64_t seconds = (uint64_t)day_of_date(year, month, day) * 86400 + hour * 3600u + minute * 60u + second;
    *out_ms = seconds * 1000 + ms;
    audit_time_format(again, *out_ms);
    return memcmp(again, text, AUDIT_TIME) == 0;
}
