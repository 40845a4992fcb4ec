// GET /why: what was wrong with a pod, a workload, a node, a process, or what a finding rests on.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "api/findings_page.h"
#include "api/routes.h"
#include "api/why_facts.h"

namespace weir::api {
namespace {

constexpr int64_t kAroundMs = 60'000;   // a moment that is asked about: this much before and after
constexpr int64_t kLatelyMs = 300'000;  // without a time
constexpr int64_t kBeforeMs = 15'000;   // of a finding, and after
constexpr int64_t kNamesMs = 24 * 3'600'000;
constexpr uint32_t kMaxFindings = 5'000;
constexpr size_t kMaxListed = 5;

// Findings that overlap the range, whoever they are about.
Result<std::vector<diagnose::Finding>> FindingsIn(Service& service, const store::TimeRange& range) {
  WEIR_ASSIGN_OR_RETURN(
      const store::Findings found,
      Counted(service.store.findings()->Find(store::FindingQuery{.range = range, .limit = kMaxFindings})));
  return Read(found);
}

Result<Json> WhyOfFinding(Service& service, const std::string& id, std::chrono::steady_clock::time_point began) {
  WEIR_ASSIGN_OR_RETURN(const store::Findings found,
                        Counted(service.store.findings()->Find(store::FindingQuery{.id = diagnose::ParseId(id)})));
  const std::vector<diagnose::Finding> findings = Read(found);
  if (findings.empty()) return Status::NotFound(fmt::format("no finding {}; `weir findings` lists them", id));
  const store::TimeRange range{findings[0].start - kBeforeMs, findings[0].end + kBeforeMs};
  WEIR_ASSIGN_OR_RETURN(const std::vector<diagnose::Finding> beside, FindingsIn(service, range));
  WEIR_ASSIGN_OR_RETURN(const diagnose::WhyFacts facts, GatherFacts(service, findings[0].subject, range));
  const auto answer = WhyFinding(findings[0], facts, beside, ViewOf(service)->thresholds);
  return WhyJson(facts, answer,
                 std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count());
}

// The one whom the word means.
Result<diagnose::Subject> SubjectOf(Service& service, const std::string& word, UnixMillis until) {
  if (std::optional<diagnose::Subject> given = diagnose::ParseSubject(word)) return *std::move(given);
  WEIR_ASSIGN_OR_RETURN(const std::vector<diagnose::Subject> meant, Meant(service, word, {until - kNamesMs, until}));
  if (meant.size() == 1) return meant[0];
  std::vector<std::string> names;
  for (const diagnose::Subject& subject : meant) {
    if (names.size() < kMaxListed) names.push_back(SubjectReference(subject));
  }
  return Status::Invalid(fmt::format("'{}' can mean {} things; say which: {}{}", word.substr(0, 100), meant.size(),
                                     fmt::join(names, ", "), meant.size() > kMaxListed ? " ..." : ""));
}

Result<Json> WhyOf(Service& service, const std::string& word, const store::TimeRange& range,
                   std::chrono::steady_clock::time_point began) {
  WEIR_ASSIGN_OR_RETURN(const diagnose::Subject subject, SubjectOf(service, word, range.to));
  WEIR_ASSIGN_OR_RETURN(const std::vector<diagnose::Finding> findings, FindingsIn(service, range));
  WEIR_ASSIGN_OR_RETURN(const diagnose::WhyFacts facts, GatherFacts(service, subject, range));
  const auto answer = Why(facts, findings, ViewOf(service)->thresholds);
  return WhyJson(facts, answer,
                 std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count());
}

}  // namespace

net::HttpResponse AnswerWhy(Service& service, Arguments& arguments) {
  const auto began = std::chrono::steady_clock::now();
  std::string word = arguments.Name("subject");
  const UnixMillis at = arguments.Time("at");
  if (word.empty()) {
    arguments.Refuse("subject", "why what?", "name a pod, a workload, a node, a process or the id of a finding");
  }
  if (arguments.refusal()) return net::ErrorResponse(*arguments.refusal());
  if (service.store.findings() == nullptr) return StatusResponse(Status::Unsupported("this server keeps no findings"));
  if (word.starts_with("finding:")) word.erase(0, std::string_view("finding:").size());
  const UnixMillis now = service.clock.WallMillis();
  const bool lately = now - at < 1'000;
  const store::TimeRange range{at - (lately ? kLatelyMs : kAroundMs), std::min(now, at + kAroundMs) + 1};
  Result<Json> json =
      diagnose::ParseId(word) != 0 ? WhyOfFinding(service, word, began) : WhyOf(service, word, range, began);
  return json.ok() ? JsonResponse(Dump(*json) + "\n") : StatusResponse(json.status());
}

}  // namespace weir::api
