#include "web/http/date.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char weekdays[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct civil {
    unsigned year, month, day; /* month and day from 1 */
    unsigned hour, minute, second;
    unsigned weekday; /* 0 is Sunday */
};

enum { DAY_S = 86400, DAYS_PER_ERA = 146097, DAYS_TO_EPOCH = 719468 };

/* The proleptic Gregorian calendar, counted in 400-year eras that begin on 1 March, so that the leap day is a year's
 * last. */
static struct civil civil_from_seconds(uint64_t seconds)
{
    if (seconds > DATE_MAX_S) seconds = DATE_MAX_S;
    uint64_t days = seconds / DAY_S;
    unsigned rest = (unsigned)(seconds % DAY_S);
    uint64_t shifted = days + DAYS_TO_EPOCH;
    unsigned era = (unsigned)(shifted / DAYS_PER_ERA);
    unsigned day_of_era = (unsigned)(shifted % DAYS_PER_ERA);
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned march_month = (5 * day_of_year + 2) / 153;
    unsigned month = march_month < 10 ? march_month + 3 : march_month - 9;
    return (struct civil){
        .year = era * 400 + year_of_era + (month <= 2),
        .month = month,
        .day = day_of_year - (153 * march_month + 2) / 5 + 1,
        .hour = rest / 3600,
        .minute = rest / 60 % 60,
        .second = rest % 60,
        .weekday = (unsigned)((days + 4) % 7), /* 1 January 1970 was a Thursday */
    };
}

static uint64_t seconds_from_civil(unsigned year, unsigned month, unsigned day)
{
    unsigned shifted_year = year - (month <= 2);
    unsigned era = shifted_year / 400;
    unsigned year_of_era = shifted_year % 400;
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return ((uint64_t)era * DAYS_PER_ERA + day_of_era - DAYS_TO_EPOCH) * DAY_S;
}

/* Most answers are of the same second as the one before. */
void date_http(char out[DATE_HTTP_LEN + 1], uint64_t seconds)
{
    static _Thread_local struct {
        uint64_t seconds;
        char text[DATE_HTTP_LEN + 1];
    } last;
    if (last.text[0] != '\0' && last.seconds == seconds) {
        memcpy(out, last.text, sizeof(last.text));
        return;
    }
    struct civil c = civil_from_seconds(seconds);
    snprintf(out, DATE_HTTP_LEN + 1, "%s, %02u %s %04u %02u:%02u:%02u GMT", weekdays[c.weekday % 7], c.day % 100,
             months[(c.month - 1) % 12], c.year % 10000, c.hour % 100, c.minute % 100, c.second % 100);
    memcpy(last.text, out, sizeof(last.text));
    last.seconds = seconds;
}

void date_iso(char out[DATE_ISO_LEN + 1], uint64_t milliseconds)
{
    struct civil c = civil_from_seconds(milliseconds / 1000);
    snprintf(out, DATE_ISO_LEN + 1, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", c.year % 10000, c.month % 100, c.day % 100,
             c.hour % 100, c.minute % 100, c.second % 100, (unsigned)(milliseconds % 1000));
}

enum err date_parse(uint64_t *out_seconds, const char *text)
{
    /* strptime alone knows the names of days and months; in the C locale, the only one here, it opens nothing. */
    static const char *const forms[] = {
        "%a, %d %b %Y %H:%M:%S GMT", /* IMF-fixdate */
        "%A, %d-%b-%y %H:%M:%S GMT", /* RFC 850 */
        "%a %b %e %H:%M:%S %Y",      /* asctime */
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm tm;
        memset(&tm, 0, sizeof(tm));
        const char *end = strptime(text, forms[i], &tm);
        if (end == NULL || *end != '\0') continue;
        if (tm.tm_year < 70 || tm.tm_year > 9999 - 1900 || tm.tm_mday < 1) return ERR_INPUT;
        uint64_t day = seconds_from_civil((unsigned)tm.tm_year + 1900, (unsigned)tm.tm_mon + 1, (unsigned)tm.tm_mday);
        *out_seconds = day + (uint64_t)tm.tm_hour * 3600 + (uint64_t)tm.tm_min * 60 + (uint64_t)tm.tm_sec;
        return ERR_OK;
    }
    return ERR_INPUT;
}
