// GET /serving: who answers requests and how fast, on the wire and by the application's own numbers.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "api/routes.h"
#include "api/serving_page.h"
#include "api/why_facts.h"
#include "diagnose/subject.h"

namespace weir::api {
namespace {

// Questions of machines after a server's health are nobody's requests, and their answers are quick.
constexpr auto kProbes =
    std::to_array<std::string_view>({"/metrics", "/health", "/healthz", "/livez", "/readyz", "/health_generate"});

constexpr uint32_t kMaxServersOfOne = 50;  // of a subject of /why

Result<model::Filter> WithoutProbes(const std::vector<apps::TargetView>& apps) {
  std::set<std::string> paths(kProbes.begin(), kProbes.end());
  for (const apps::TargetView& app : apps) {
    const bool asked = app.state == apps::TargetState::kBelieved || app.state == apps::TargetState::kNotBelieved;
    if (asked && app.target.path != "/") paths.insert(app.target.path);
  }
  std::string list;
  for (const std::string& path : paths) list += (list.empty() ? "" : ", ") + model::FilterValueText(path);
  return model::Filter::Parse(fmt::format("requests > 0 and resource not in ({})", list));
}

Result<store::FlowResult> Ask(Service& service, const model::Filter& filter, const store::TimeRange& range,
                              uint32_t limit) {
  store::FlowQuery query;
  query.range = range;
  query.filter = filter;
  query.group_by = ServingGroup();
  query.columns = ServingMeasures();
  query.sort = {{model::FindColumn("requests"), true}};
  query.totals = false;
  query.limit = limit;
  return Counted(service.store.Query(query));
}

// What a filter calls the serving end of this subject; "" = it is no server.
std::string ServerFilter(const diagnose::Subject& subject) {
  using diagnose::FilterQuote;
  switch (subject.kind) {
    case diagnose::SubjectKind::kPod:
      return fmt::format("server_namespace = {} and server_pod = {}", FilterQuote(subject.name_space),
                         FilterQuote(subject.pod));
    case diagnose::SubjectKind::kWorkload:
      return fmt::format("server_namespace = {} and server_workload = {}", FilterQuote(subject.name_space),
                         FilterQuote(subject.workload));
    case diagnose::SubjectKind::kProcess:
      return fmt::format("server_process = {}{}", FilterQuote(subject.process),
                         subject.node.empty() ? "" : " and server_node = " + FilterQuote(subject.node));
    default: return "";
  }
}

// Everything /serving tells of the servers that match.
Result<ServingFacts> GatherServing(Service& service, const model::Filter& chosen, const store::TimeRange& range,
                                   uint32_t limit) {
  ServingFacts facts;
  facts.range = range;
  facts.asked = service.apps != nullptr;
  if (facts.asked) facts.apps = service.apps(facts.range);
  WEIR_ASSIGN_OR_RETURN(const model::Filter requests, WithoutProbes(facts.apps));
  const model::Filter filter = model::Filter::And(chosen, requests);
  WEIR_ASSIGN_OR_RETURN(facts.rows, Ask(service, filter, facts.range, limit));
  for (const auto& [row, app] : MatchApps(facts).app_of_row) {
    const std::optional<UnixMillis> start = LaterStart(facts, facts.apps[app]);
    if (!start || facts.since.contains(*start) || facts.since.size() >= kMaxWindows) continue;
    WEIR_ASSIGN_OR_RETURN(facts.since[*start], Ask(service, filter, {*start, facts.range.to}, limit));
  }
  return facts;
}

}  // namespace

Result<std::optional<diagnose::Beside>> BesideOf(Service& service, const diagnose::Subject& subject,
                                                 const store::TimeRange& range) {
  const std::string server = service.apps == nullptr ? "" : ServerFilter(subject);
  if (server.empty()) return std::optional<diagnose::Beside>();
  WEIR_ASSIGN_OR_RETURN(const model::Filter filter, model::Filter::Parse(server));
  WEIR_ASSIGN_OR_RETURN(const ServingFacts facts, GatherServing(service, filter, range, kMaxServersOfOne));
  return FirstBeside(facts);
}

net::HttpResponse AnswerServing(Service& service, Arguments& arguments) {
  const store::TimeRange range = arguments.Range();
  const model::Filter chosen = FilterOfQuestion(arguments);
  const auto limit = static_cast<uint32_t>(arguments.Integer("limit"));
  if (arguments.refusal()) return net::ErrorResponse(*arguments.refusal());
  const auto facts = GatherServing(service, chosen, range, limit);
  if (!facts.ok()) return StatusResponse(facts.status());
  return JsonResponse(Dump(ServingJson(*facts)) + "\n");
}

}  // namespace weir::api
