// GET /findings, /loads and /health: what the detectors found, from the store.
#include <fmt/format.h>

#include <algorithm>

#include "api/findings_page.h"
#include "api/routes.h"
#include "api/time_text.h"
#include "base/text.h"

namespace weir::api {
namespace {

// Comma-separated names, each among those known.
std::vector<std::string> Detectors(Arguments& arguments) {
  std::vector<std::string> wanted;
  std::string_view rest;
  const std::string text = arguments.Name("detector");
  for (rest = text; !rest.empty();) {
    const std::string_view name = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    const auto known = std::find_if(diagnose::kDetectors.begin(), diagnose::kDetectors.end(),
                                    [&](const auto& detector) { return detector.name == name; });
    if (known == diagnose::kDetectors.end()) {
      std::vector<std::string_view> names;
      for (const auto& detector : diagnose::kDetectors) names.push_back(detector.name);
      const std::string nearest = Nearest(name, names);
      arguments.Refuse("detector", fmt::format("unknown detector '{}'", name.substr(0, 60)),
                       nearest.empty() ? fmt::format("it is one of {}", fmt::join(names, ", "))
                                       : fmt::format("did you mean {}?", nearest));
      return {};
    }
    wanted.emplace_back(name);
  }
  return wanted;
}

// "medium" and what is surer.
std::vector<std::string> FromConfidence(const std::string& least) {
  if (least == "high") return {"high"};
  if (least == "medium") return {"medium", "high"};
  return {};
}

// A reference, see diagnose/subject.h.
std::string About(Arguments& arguments, std::string_view parameter) {
  std::string about = arguments.Name(parameter);
  if (about.empty() || diagnose::ParseSubject(about)) return about;
  arguments.Refuse(parameter, "that names no subject",
                   "write pod:NAMESPACE/NAME, workload:NAMESPACE/NAME, node:NAME, process:NAME@NODE, "
                   "service:NAMESPACE/NAME, zones:A,B or external:NAME");
  return "";
}

Status NoFindings() { return Status::Unsupported("this server keeps no findings"); }

}  // namespace

net::HttpResponse AnswerFindings(Service& service, Arguments& arguments) {
  store::FindingQuery query;
  query.range = arguments.Range();
  const std::string id = arguments.Name("id");
  const std::string state = arguments.Choice("state");
  query.open_only = state == "open";
  query.closed_only = state == "closed";
  query.detectors = Detectors(arguments);
  query.confidences = FromConfidence(arguments.Choice("confidence"));
  query.about = About(arguments, "subject");
  query.limit = static_cast<uint32_t>(arguments.Integer("limit"));
  if (!id.empty()) query.id = diagnose::ParseId(id);
  if (!id.empty() && query.id == 0) arguments.Refuse("id", "that is no id of a finding", "it has 14 digits and a to f");
  if (arguments.refusal()) return net::ErrorResponse(*arguments.refusal());
  store::FindingStore* const store = service.store.findings();
  if (store == nullptr) return StatusResponse(NoFindings());
  const auto found = Counted(store->Find(query));
  if (!found.ok()) return StatusResponse(found.status());
  if (query.id != 0 && found->findings.empty()) {
    return StatusResponse(Status::NotFound(fmt::format("no finding {}; GET /api/v1/findings lists them", id)));
  }
  return JsonResponse(Dump(FindingsJson(query.range, *found, ViewOf(service))) + "\n");
}

net::HttpResponse AnswerLoads(Service& service, Arguments& arguments) {
  store::FindingQuery query;
  query.range = arguments.Range();
  query.detectors = {std::string(Describe(diagnose::Detector::model_load).name)};
  query.about = About(arguments, "subject");
  query.limit = static_cast<uint32_t>(arguments.Integer("limit"));
  if (arguments.refusal()) return net::ErrorResponse(*arguments.refusal());
  store::FindingStore* const store = service.store.findings();
  if (store == nullptr) return StatusResponse(NoFindings());
  const auto loads = Counted(store->Find(query));
  if (!loads.ok()) return StatusResponse(loads.status());
  query.detectors = {std::string(Describe(diagnose::Detector::bandwidth_breach).name),
                     std::string(Describe(diagnose::Detector::startup).name)};
  query.about.clear();
  const auto others = Counted(store->Find(query));
  if (!others.ok()) return StatusResponse(others.status());
  return JsonResponse(Dump(LoadsJson(query.range, *loads, *others)) + "\n");
}

net::HttpResponse AnswerHealth(Service& service, Arguments& arguments) {
  store::IndicatorQuery query;
  query.range = arguments.Range();
  query.scope = About(arguments, "scope");
  if (arguments.refusal()) return net::ErrorResponse(*arguments.refusal());
  store::FindingStore* const store = service.store.findings();
  if (store == nullptr) return StatusResponse(NoFindings());
  const auto found = Counted(store->Find(query));
  if (!found.ok()) return StatusResponse(found.status());
  return JsonResponse(Dump(HealthJson(query, *found, ViewOf(service))) + "\n");
}

}  // namespace weir::api
