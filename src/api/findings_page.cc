#include "api/findings_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "api/time_text.h"
#include "base/log.h"

namespace weir::api {
namespace {

Json TimeJson(UnixMillis time) { return FormatTime(time); }

Json RangeOf(const store::TimeRange& range) {
  return {{"since", FormatTime(range.from)}, {"until", FormatTime(range.to)}};
}

Json ListOf(const std::vector<diagnose::Finding>& findings) {
  Json list = Json::array();
  for (const diagnose::Finding& finding : findings) list.push_back(ToJson(finding, ApiForm()));
  return list;
}

Json JudgedAt(const std::shared_ptr<const server::DiagnosisView>& view) {
  return view->judged == 0 ? Json(nullptr) : Json(FormatTime(view->judged));
}

// What part of `whole`; null where that is unknown.
Json ShareOf(double part, double whole) { return whole > 0 ? Json(part / whole) : Json(nullptr); }

Json LoadOf(const diagnose::Finding& load, const std::vector<diagnose::Finding>& others) {
  Json json = ToJson(load, ApiForm());
  Json& facts = json["load"];
  facts["baseline_share"] = ShareOf(load.load->mean_bits, load.load->baseline_bits);
  facts["peak_share"] = ShareOf(load.load->mean_bits, load.load->peak_bits);
  json["breaches"] = Json::array();
  json["starts"] = Json::array();
  for (const diagnose::Finding& other : others) {
    const bool overlaps = other.start <= load.end && other.end >= load.start;
    if (other.detector == diagnose::Detector::bandwidth_breach) {
      if (overlaps && other.subject.node == load.node) json["breaches"].push_back(diagnose::IdText(other.id));
    } else if (Concerns(other, load.subject)) {
      json["starts"].push_back(diagnose::IdText(other.id));
    }
  }
  return json;
}

constexpr std::string_view kHealthRule =
    "1 (degraded): most flows through this part are sick for no reason of their own, of several workloads and nodes, "
    "and "
    "flows that differ in this part alone are well. 0 (healthy): enough flows were judged and the part is not "
    "degraded. "
    "Unknown: too little traffic to say.";

}  // namespace

diagnose::JsonForm ApiForm() { return {TimeJson, true}; }

std::shared_ptr<const server::DiagnosisView> ViewOf(const Service& service) {
  if (service.diagnosis) return service.diagnosis();
  return std::make_shared<const server::DiagnosisView>();
}

std::vector<diagnose::Finding> Read(const store::Findings& found) {
  static RateLimit limit{std::chrono::minutes(1)};
  std::vector<diagnose::Finding> findings;
  for (const store::StoredFinding& stored : found.findings) {
    Result<diagnose::Finding> finding = diagnose::FindingFrom(stored.text);
    if (finding.ok()) {
      findings.push_back(*std::move(finding));
    } else if (uint64_t suppressed = 0; limit.Allow(&suppressed)) {
      LogWarn("finding {} is left out: {} (and {} before)", diagnose::IdText(stored.id), finding.status().message(),
              suppressed);
    }
  }
  return findings;
}

Json FindingsJson(const store::TimeRange& range, const store::Findings& found,
                  const std::shared_ptr<const server::DiagnosisView>& view) {
  Json json;
  json["range"] = RangeOf(range);
  json["findings"] = ListOf(Read(found));
  json["complete"] = found.complete;
  json["open"] = view->open.size();
  json["judged"] = JudgedAt(view);
  return json;
}

Json LoadsJson(const store::TimeRange& range, const store::Findings& loads, const store::Findings& others) {
  const std::vector<diagnose::Finding> beside = Read(others);
  Json json;
  json["range"] = RangeOf(range);
  json["loads"] = Json::array();
  for (const diagnose::Finding& load : Read(loads)) {
    if (load.load) json["loads"].push_back(LoadOf(load, beside));
  }
  json["complete"] = loads.complete;
  return json;
}

Json HealthJson(const store::IndicatorQuery& query, const store::Indicators& found,
                const std::shared_ptr<const server::DiagnosisView>& view) {
  Json json;
  json["range"] = RangeOf(query.range);
  json["rule"] = kHealthRule;
  json["judged"] = JudgedAt(view);
  json["now"] = Json::array();
  for (const diagnose::HealthIndicator& indicator : view->indicators) {
    if (query.scope.empty() || SubjectReference(indicator.scope) == query.scope) {
      json["now"].push_back(ToJson(indicator, ApiForm()));
    }
  }
  json["history"] = Json::array();
  std::string scope;
  for (const store::StoredIndicator& stored : found.indicators) {
    const Result<diagnose::HealthIndicator> indicator = diagnose::IndicatorFrom(stored.text);
    if (!indicator.ok()) continue;
    if (json["history"].empty() || stored.scope != scope) {
      scope = stored.scope;
      json["history"].push_back({{"scope", ToJson(indicator->scope, ApiForm())}, {"stretches", Json::array()}});
    }
    Json stretch = ToJson(*indicator, ApiForm());
    stretch.erase("scope");
    json["history"].back()["stretches"].push_back(std::move(stretch));
  }
  json["complete"] = found.complete;
  return json;
}

Json WhyJson(const diagnose::WhyFacts& facts, const diagnose::WhyAnswer& answer, double elapsed_ms) {
  Json json;
  json["subject"] = ToJson(facts.subject, ApiForm());
  json["range"] = RangeOf({facts.from, facts.to});
  json["lines"] = answer.lines;
  json["blames"] = answer.blames;
  json["findings"] = ListOf(answer.findings);
  json["acquittals"] = Json::array();
  for (const diagnose::Evidence& evidence : answer.acquittals) {
    json["acquittals"].push_back(ToJson(evidence, ApiForm()));
  }
  json["unknown"] = answer.unknown;
  json["elapsed_ms"] = elapsed_ms;
  return json;
}

}  // namespace weir::api
