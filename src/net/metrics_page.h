// The answer to GET /metrics, in the format and encoding the scraper asks for.
#pragma once

#include <functional>

#include "base/metric_family.h"
#include "net/http_server.h"

namespace weir::net {

// `visit` gives all samples. Query: created=off leaves out when counters began.
HttpResponse MetricsPage(const HttpRequest& request, const std::function<void(MetricVisitor&)>& visit);

}  // namespace weir::net
