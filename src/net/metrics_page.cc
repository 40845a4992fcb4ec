#include "net/metrics_page.h"

#include <string>

#include "base/metric_text.h"
#include "net/gzip.h"

namespace weir::net {
namespace {

// Below, packing costs more than it saves.
constexpr size_t kWorthPacking = 1'024;

std::string ValueOf(const std::map<std::string, std::string>& values, const char* name) {
  const auto found = values.find(name);
  return found == values.end() ? std::string() : found->second;
}

}  // namespace

HttpResponse MetricsPage(const HttpRequest& request, const std::function<void(MetricVisitor&)>& visit) {
  const MetricFormat format = FormatFor(ValueOf(request.headers, "accept"));
  MetricText text(format, ValueOf(request.query, "created") != "off");
  visit(text);
  HttpResponse response;
  response.content_type = ContentTypeOf(format);
  response.body = text.Finish();
  response.headers["Vary"] = "Accept, Accept-Encoding";
  response.headers["Cache-Control"] = "no-store";
  if (response.body.size() >= kWorthPacking && AcceptsGzip(ValueOf(request.headers, "accept-encoding"))) {
    response.body = Gzip(response.body);
    response.headers["Content-Encoding"] = "gzip";
  }
  return response;
}

}  // namespace weir::net
