/* What monitors ask for: the resources of a site whose config.monitored is set. Each answer ends its connection: the next one
 * is to have new numbers. */
#ifndef KEYWARD_WEB_HTTP_MONITOR_H
#define KEYWARD_WEB_HTTP_MONITOR_H

#include "web/http/exchange.h"

struct fault monitor_metrics(struct exchange *exchange);

/* monitor_health answers 200 and "ok", or 503 and what is wrong. */
struct fault monitor_health(struct exchange *exchange);

struct fault monitor_nothing(struct exchange *exchange);

#endif
