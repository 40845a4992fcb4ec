#include "alert_rules.h"

#include <fmt/format.h>

#include <string_view>

#include "base/metrics.h"

namespace weir {
namespace {

// A double-quoted scalar of YAML.
std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string Rule(Metric id) {
  const MetricDescription& metric = MetricCatalogue()[static_cast<size_t>(id)];
  const bool loss = metric.severity == MetricSeverity::kLoss;
  const std::string name = ExpositionName(id);
  // A gauge of a fault stands above 0 while the fault lasts; a counter grows when it happens.
  const std::string expression =
      metric.kind == MetricKind::kGauge ? fmt::format("{} > 0", name) : fmt::format("increase({}[10m]) > 0", name);
  return fmt::format(
      "  - alert: {}\n    expr: {}\n    labels: {{severity: {}, metric: {}}}\n    annotations:\n      summary: {}\n"
      "      description: {}\n      runbook: docs/runbooks/weir-itself.md\n",
      loss ? "WeirDataLost" : "WeirFault", expression, loss ? "warning" : "info", name,
      Quoted(fmt::format("{} on {{{{ or $labels.node $labels.instance }}}}", name)), Quoted(metric.help));
}

}  // namespace

std::string AlertRules() {
  std::string out =
      "# Made by ./dev gen from src/base/metrics.h. Do not edit.\n# One alert for each number that says data is "
      "missing "
      "from answers (WeirDataLost) or something is to be fixed (WeirFault).\ngroups:\n- name: weir-itself\n  rules:\n";
  for (size_t i = 0; i < kMetricCount; ++i) {
    if (MetricCatalogue()[i].severity != MetricSeverity::kInfo) out += Rule(static_cast<Metric>(i));
  }
  return out;
}

}  // namespace weir
