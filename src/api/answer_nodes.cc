// GET /nodes, /nodes/series and /nodes/windows: what limits the nodes.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "api/findings_page.h"
#include "api/nodes_page.h"
#include "api/routes.h"
#include "api/series.h"
#include "base/metrics.h"
#include "base/text.h"

namespace weir::api {
namespace {

model::NodeSignal SignalOf(Arguments& arguments) {
  const std::string name = arguments.Name("signal");
  const auto signal = model::FindNodeSignal(name);
  if (signal) return *signal;
  std::vector<std::string_view> names;
  for (const model::NodeSignalDescription& known : model::kNodeSignals) names.push_back(known.name);
  const std::string nearest = Nearest(name, names);
  arguments.Refuse("signal", fmt::format("unknown signal '{}'", name),
                   nearest.empty() ? "docs/node-signals.md lists them" : fmt::format("did you mean {}?", nearest));
  return model::NodeSignal::node_pass_us;
}

}  // namespace

net::HttpResponse AnswerNodes(Service& service, Arguments& arguments) {
  NodesFacts facts;
  facts.range = arguments.Range();
  facts.node = arguments.Name("node");
  if (arguments.refusal()) return net::ErrorResponse(*arguments.refusal());
  store::NodeStore* const store = service.store.node();
  if (store == nullptr) return StatusResponse(NoNodeStore());
  auto totals = Counted(store->Totals({.range = facts.range, .node = facts.node}));
  if (!totals.ok()) return StatusResponse(totals.status());
  auto recent =
      Counted(store->Totals({.range = {std::max(facts.range.from, facts.range.to - kRecentMs), facts.range.to},
                             .node = facts.node,
                             .signals = RateSignals()}));
  if (!recent.ok()) return StatusResponse(recent.status());
  facts.now = service.clock.WallMillis();
  facts.agents = service.server.Agents();
  facts.capacities = ViewOf(service)->capacities;
  facts.totals = *std::move(totals);
  facts.recent = *std::move(recent);
  Json json = NodesJson(facts);
  if (!facts.node.empty() && json["nodes"].empty()) {
    return StatusResponse(Status::NotFound(fmt::format("no node '{}' has reported in this range", facts.node))
                              .WithRemedy("GET /api/v1/nodes lists those that have"));
  }
  return JsonResponse(Dump(json) + "\n");
}

net::HttpResponse AnswerNodeSeries(Service& service, Arguments& arguments) {
  store::NodeSeriesQuery query;
  query.range = arguments.Range();
  query.node = arguments.Name("node");
  query.signal = SignalOf(arguments);
  query.subject = arguments.Name("subject");
  query.any_subject = query.subject == "*";
  query.step_ms = arguments.Duration("step");
  if (query.node.empty()) arguments.Refuse("node", "a series is of one node", "name it: node=...");
  if (query.step_ms == 0 && !arguments.refusal()) query.step_ms = DefaultStep(query.range);
  query.step_ms = std::max<int64_t>(query.step_ms, 1);
  if (!arguments.refusal() && (query.range.to - query.range.from) / query.step_ms > kMaxPoints) {
    arguments.Refuse("step", fmt::format("that would be more than {} points", kMaxPoints),
                     "give a longer step or a shorter range");
  }
  if (arguments.refusal()) return net::ErrorResponse(*arguments.refusal());
  store::NodeStore* const store = service.store.node();
  if (store == nullptr) return StatusResponse(NoNodeStore());
  const auto series = Counted(store->Series(query));
  if (!series.ok()) return StatusResponse(series.status());
  store::NodeSeriesQuery heartbeat = query;
  heartbeat.signal = model::NodeSignal::node_pass_us;
  heartbeat.any_subject = true;
  heartbeat.step_ms = series->step_ms;
  const auto heartbeats = Counted(store->Series(heartbeat));
  if (!heartbeats.ok()) return StatusResponse(heartbeats.status());
  return JsonResponse(Dump(NodeSeriesJson(query, *series, *heartbeats)) + "\n");
}

net::HttpResponse AnswerRateWindows(Service& service, Arguments& arguments) {
  const store::TimeRange range = arguments.Range();
  const std::string node = arguments.Name("node");
  const auto limit = static_cast<uint32_t>(arguments.Integer("limit"));
  if (arguments.refusal()) return net::ErrorResponse(*arguments.refusal());
  store::NodeStore* const store = service.store.node();
  if (store == nullptr) return StatusResponse(NoNodeStore());
  auto windows = Counted(store->RateWindows(range, node, limit + 1));
  if (!windows.ok()) return StatusResponse(windows.status());
  const bool complete = windows->size() <= limit;
  if (!complete) windows->resize(limit);
  Json json = RateWindowsJson(range, *windows);
  json["complete"] = complete;
  return JsonResponse(Dump(json) + "\n");
}

}  // namespace weir::api
