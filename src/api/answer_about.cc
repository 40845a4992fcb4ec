// What Weir says of itself: columns, status, description, health, metrics.
#include <string>

#include "api/json.h"
#include "api/openapi.h"
#include "api/routes.h"
#include "api/row_writer.h"
#include "api/status_page.h"
#include "base/metrics.h"
#include "model/filter.h"
#include "net/metrics_page.h"

namespace weir::api {
namespace {

net::HttpResponse PlainResponse(int status, std::string text) {
  net::HttpResponse response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(text);
  response.headers["Cache-Control"] = "no-store";
  response.headers["X-Content-Type-Options"] = "nosniff";
  return response;
}

}  // namespace

net::HttpResponse JsonResponse(std::string body) {
  net::HttpResponse response;
  response.body = std::move(body);
  response.headers["Cache-Control"] = "no-store";
  response.headers["X-Content-Type-Options"] = "nosniff";
  return response;
}

net::HttpResponse StatusResponse(const Status& status) {
  net::HttpError error{.message = std::string(status.problem()), .remedy = std::string(status.remedy())};
  switch (status.code()) {
    case Code::kInvalid:
    case Code::kUnsupported:
      error.status = 400;
      error.code = "invalid";
      break;
    case Code::kNotFound:
      error.status = 404;
      error.code = "not_found";
      break;
    case Code::kConflict:
      error.status = 409;
      error.code = "conflict";
      break;
    case Code::kExhausted:
      error.status = 429;
      error.code = "busy";
      break;
    case Code::kUnavailable:
      error.status = 503;
      error.code = "busy";
      break;
    default: break;  // ours: 500
  }
  return net::ErrorResponse(error);
}

net::HttpResponse AnswerColumns(Service&, Arguments& arguments) {
  if (arguments.refusal()) return net::ErrorResponse(*arguments.refusal());
  Json json;
  json["columns"] = Json::array();
  for (const model::Column& column : model::kColumns) {
    Json described = DescribeColumn(column);
    described["groupable"] = column.groupable();
    described["filterable"] = column.type != model::ColumnType::kHistogram;
    json["columns"].push_back(std::move(described));
  }
  json["either_fields"] = Json::array();
  for (const model::EitherField& field : model::EitherFields())
    json["either_fields"].push_back({{"name", field.name}, {"columns", field.columns}});
  json["default_group_by"] = Json::array();
  for (const model::Column* column : store::DefaultGroup()) json["default_group_by"].push_back(column->name);
  return JsonResponse(Dump(json) + "\n");
}

net::HttpResponse AnswerStatus(Service& service, Arguments& arguments) {
  if (arguments.refusal()) return net::ErrorResponse(*arguments.refusal());
  StatusFacts facts;
  facts.started = service.started;
  facts.now = service.clock.WallMillis();
  StoreWatch::Seen seen = service.watch.Latest();
  facts.store = std::move(seen.status);
  facts.store_as_of = seen.as_of;
  facts.clock_trouble = service.clock.Trouble();
  facts.agents = service.server.Agents();
  facts.own_counters = ReadOwnCounters();
  if (service.clusters) facts.clusters = service.clusters();
  facts.name_sources = service.server.NameSources();
  return JsonResponse(Dump(StatusJson(facts)) + "\n");
}

net::HttpResponse AnswerOpenApi(Service&, Arguments& arguments) {
  if (arguments.refusal()) return net::ErrorResponse(*arguments.refusal());
  return JsonResponse(Dump(OpenApi(Routes())) + "\n");
}

net::HttpResponse AnswerHealthy(Service&, Arguments&) { return PlainResponse(200, "ok"); }

net::HttpResponse AnswerReady(Service& service, Arguments&) {
  // Anybody may ask this, so it tells nothing of the engine's own words.
  if (!service.watch.answers()) return PlainResponse(503, "the store does not answer; see the server's log");
  return PlainResponse(200, "ready");
}

void RespondMetrics(Service& service, net::HttpRequest request, std::unique_ptr<net::Responder> responder,
                    Arguments& arguments) {
  const std::string created = arguments.Choice("created");
  if (arguments.refusal()) return responder->Send(net::ErrorResponse(*arguments.refusal()));
  request.query["created"] = created;
  net::HttpResponse response = net::MetricsPage(request, [&](MetricVisitor& visitor) {
    if (service.metrics) return service.metrics(visitor);
    VisitMetrics("", service.started, visitor);
  });
  response.headers["X-Content-Type-Options"] = "nosniff";
  responder->Send(std::move(response));
}

}  // namespace weir::api
