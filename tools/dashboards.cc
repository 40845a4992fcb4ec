#include "dashboards.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "model/metric_families.h"

namespace weir {
namespace {

using Json = nlohmann::ordered_json;
using model::FamilyRole;

// A variable of a dashboard: the values of a label, chosen by whoever looks.
struct Variable {
  std::string_view label;
  std::string_view series;  // that has it
};

struct Dashboard {
  std::string_view file, uid, title, help;
  std::vector<FamilyRole> roles;
  std::vector<Variable> variables;
  // Labels series are told apart by, where a family has them; others are added up.
  std::vector<std::string_view> kept;
  std::vector<std::string_view> left_out;  // families, by name
};

const std::vector<Dashboard>& Table() {
  static const std::vector<Dashboard> kDashboards{
      {"weir-cluster.json",
       "weir-cluster",
       "Weir: workloads of a cluster",
       "Who talks to whom, what fails and what is lost, and what detectors say. From the server's /metrics.",
       {FamilyRole::kVerdict, FamilyRole::kWorkload},
       {{"client_namespace", "weir_workload_io_bytes_total"}, {"server_namespace", "weir_workload_io_bytes_total"}},
       {"client_workload", "server_workload", "client_zone", "server_zone", "direction", "reason", "by", "result",
        "scope", "subject", "detector", "confidence"},
       {}},
      {"weir-inference.json",
       "weir-inference",
       "Weir: inference",
       "Time to the first chunk, gaps between chunks and duration of answers, streams apart from others. From the "
       "server's "
       "/metrics, with --requests on at agents.",
       {FamilyRole::kInference},
       {{"server_namespace", "weir_http_server_requests_total"},
        {"server_workload", "weir_http_server_requests_total"}},
       {"server_workload", "streaming", "result"},
       {}},
      {"weir-node.json",
       "weir-node",
       "Weir: limits of nodes",
       "Interfaces, allowances of the cloud, queues, drops, CPU and RDMA of nodes. From the agents' /metrics.",
       {FamilyRole::kNode, FamilyRole::kFabric},
       {{"node", "weir_agent_info"}},
       {"node", "interface", "direction", "reason", "allowance", "resource", "device", "port", "qdisc"},
       {"weir_agent_info"}},
      {"weir-pod.json",
       "weir-pod",
       "Weir: pods",
       "Interfaces, connections, loss, names and containers of pods. From the agents' /metrics.",
       {FamilyRole::kPod, FamilyRole::kContainer},
       {{"node", "weir_agent_info"},
        {"namespace", "weir_pod_network_io_bytes_total"},
        {"pod", "weir_pod_network_io_bytes_total"}},
       {"namespace", "pod", "container", "direction", "role", "reason", "result", "class", "resource"},
       {"weir_pod_info"}},
  };
  return kDashboards;
}

bool Has(std::string_view labels, std::string_view label) {
  bool found = false;
  ForEachWord(labels, [&](std::string_view word) { found |= word == label; });
  return found;
}

// {namespace=~"$namespace", ...} of the variables the family has labels for.
std::string Selector(const MetricFamily& family, const Dashboard& dashboard) {
  std::string selector;
  for (const Variable& variable : dashboard.variables) {
    if (!Has(family.labels, variable.label)) continue;
    selector += fmt::format(R"({}{}=~"${}")", selector.empty() ? "" : ", ", variable.label, variable.label);
  }
  return selector.empty() ? "" : "{" + selector + "}";
}

std::vector<std::string> Kept(const MetricFamily& family, const Dashboard& dashboard) {
  std::vector<std::string> kept;
  for (const std::string_view label : dashboard.kept) {
    if (Has(family.labels, label)) kept.emplace_back(label);
  }
  return kept;
}

std::string Joined(const std::vector<std::string>& words, std::string_view before, std::string_view after,
                   std::string_view between) {
  std::string joined;
  for (const std::string& word : words)
    joined += fmt::format("{}{}{}{}", joined.empty() ? "" : between, before, word, after);
  return joined;
}

Json Target(const std::string& expression, const std::string& legend, char id) {
  return {{"refId", std::string(1, id)},
          {"datasource", {{"type", "prometheus"}, {"uid", "${datasource}"}}},
          {"expr", expression},
          {"legendFormat", legend}};
}

std::string By(const std::vector<std::string>& labels) {
  return labels.empty() ? "" : fmt::format(" by ({})", Joined(labels, "", "", ", "));
}

Json Targets(const MetricFamily& family, const Dashboard& dashboard) {
  const std::string selector = Selector(family, dashboard);
  const std::vector<std::string> kept = Kept(family, dashboard);
  const std::string legend = kept.empty() ? "all" : Joined(kept, "{{", "}}", " ");
  switch (family.type) {
    case FamilyType::kGauge:
      return Json::array({Target(fmt::format("topk(20, max{} ({}{}))", By(kept), family.name, selector), legend, 'A')});
    case FamilyType::kHistogram: {
      std::vector<std::string> with_bound{"le"};
      with_bound.insert(with_bound.end(), kept.begin(), kept.end());
      Json targets = Json::array();
      char id = 'A';
      for (const char* quantile : {"0.5", "0.99"}) {
        targets.push_back(Target(fmt::format("histogram_quantile({}, sum{} (rate({}_bucket{}[$__rate_interval])))",
                                             quantile, By(with_bound), family.name, selector),
                                 fmt::format("{} p{}", legend, std::string_view(quantile).substr(2)), id++));
      }
      return targets;
    }
    case FamilyType::kCounter:
    case FamilyType::kPlainCounter: break;
  }
  return Json::array(
      {Target(fmt::format("topk(20, sum{} (rate({}_total{}[$__rate_interval])))", By(kept), family.name, selector),
              legend, 'A')});
}

// Of handshakes a sum and a number are known, no buckets: a mean.
Json MeanTarget(const MetricFamily& family, const Dashboard& dashboard) {
  const std::string selector = Selector(family, dashboard);
  const std::vector<std::string> kept = Kept(family, dashboard);
  const auto rate = [&](const char* suffix) {
    return fmt::format("sum{} (rate({}{}{}[$__rate_interval]))", By(kept), family.name, suffix, selector);
  };
  const std::string expression = fmt::format("topk(20, {} / {})", rate("_sum"), rate("_count"));
  return Json::array({Target(expression, Joined(kept, "{{", "}}", " "), 'A')});
}

std::string_view UnitOf(const MetricFamily& family) {
  const bool rate = family.type == FamilyType::kCounter;
  if (family.unit == "bytes") return rate ? "Bps" : "bytes";
  if (family.unit == "seconds") return rate ? "percentunit" : "s";
  if (family.unit == "dollars") return "currencyUSD";
  return rate ? "cps" : "short";
}

// "weir_workload_io_bytes" -> "Workload io".
std::string TitleOf(const MetricFamily& family) {
  std::string title(family.name.substr(std::string_view("weir_").size()));
  if (!family.unit.empty()) title.resize(title.size() - family.unit.size() - 1);
  std::replace(title.begin(), title.end(), '_', ' ');
  title[0] = static_cast<char>(title[0] - 'a' + 'A');
  return title;
}

Json Panel(const MetricFamily& family, const Dashboard& dashboard, int place) {
  const bool mean = &family == &model::Describe(model::ServerFamily::workload_connect).family;
  return {{"id", place + 1},
          {"type", "timeseries"},
          {"title", TitleOf(family)},
          {"description", std::string(family.help)},
          {"gridPos", {{"x", 12 * (place % 2)}, {"y", 8 * (place / 2)}, {"w", 12}, {"h", 8}}},
          {"datasource", {{"type", "prometheus"}, {"uid", "${datasource}"}}},
          {"fieldConfig",
           {{"defaults", {{"unit", std::string(UnitOf(family))}, {"min", 0}, {"custom", {{"fillOpacity", 8}}}}},
            {"overrides", Json::array()}}},
          {"options",
           {{"legend", {{"displayMode", "list"}, {"placement", "bottom"}}},
            {"tooltip", {{"mode", "multi"}, {"sort", "desc"}}}}},
          {"targets", mean ? MeanTarget(family, dashboard) : Targets(family, dashboard)}};
}

Json VariableJson(const Variable& variable) {
  return {{"name", std::string(variable.label)},
          {"type", "query"},
          {"datasource", {{"type", "prometheus"}, {"uid", "${datasource}"}}},
          {"query", fmt::format("label_values({}, {})", variable.series, variable.label)},
          {"refresh", 2},
          {"includeAll", true},
          {"multi", true},
          // Series without the label are among all of them.
          {"allValue", ".*"},
          {"current", {{"text", "All"}, {"value", "$__all"}}},
          {"sort", 1}};
}

std::string Render(const Dashboard& dashboard) {
  Json variables = Json::array();
  variables.push_back({{"name", "datasource"}, {"type", "datasource"}, {"query", "prometheus"}});
  for (const Variable& variable : dashboard.variables) variables.push_back(VariableJson(variable));
  Json panels = Json::array();
  const auto add = [&](const auto& families) {
    for (const FamilyRole role : dashboard.roles) {
      for (const model::FamilyDescription& description : families) {
        const auto& out = dashboard.left_out;
        if (description.role != role || std::find(out.begin(), out.end(), description.family.name) != out.end())
          continue;
        panels.push_back(Panel(description.family, dashboard, static_cast<int>(panels.size())));
      }
    }
  };
  add(model::kServerFamilies);
  add(model::kAgentFamilies);
  const Json json{{"uid", std::string(dashboard.uid)},
                  {"title", std::string(dashboard.title)},
                  {"description", std::string(dashboard.help)},
                  {"tags", Json::array({"weir"})},
                  {"schemaVersion", 38},
                  {"editable", true},
                  {"refresh", "30s"},
                  {"time", {{"from", "now-1h"}, {"to", "now"}}},
                  {"templating", {{"list", variables}}},
                  {"panels", panels}};
  return json.dump(1) + "\n";
}

}  // namespace

std::vector<std::pair<std::string, std::string>> Dashboards() {
  std::vector<std::pair<std::string, std::string>> files;
  for (const Dashboard& dashboard : Table()) files.emplace_back(dashboard.file, Render(dashboard));
  return files;
}

}  // namespace weir
