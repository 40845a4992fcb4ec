#include "api/why_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <future>
#include <map>
#include <optional>
#include <set>

#include "api/findings_page.h"
#include "api/named_cells.h"

namespace weir::api {
namespace {

using diagnose::Subject;
using diagnose::SubjectKind;
using diagnose::WhyFacts;
using model::NodeSignal;

constexpr int64_t kUsualMs = 3'600'000;  // what is usual: the hour before
constexpr uint32_t kMaxPlaces = 500;     // flows, the largest, whose nodes and zones are looked at
constexpr uint32_t kMaxApplications = 1'000;
constexpr uint32_t kMaxEnds = 10'000;  // that a word can mean
constexpr double kBitsPerByte = 8;

Result<model::Filter> FilterOf(const Subject& subject) { return model::Filter::Parse(FlowFilter(subject)); }

uint64_t Whole(double number) { return number > 0 ? static_cast<uint64_t>(number) : 0; }

std::optional<double> Measured(const NamedCells& row, std::string_view count, std::string_view value) {
  if (row.Number(count) == 0) return std::nullopt;
  return row.Number(value);
}

constexpr auto kMeasures = std::to_array<std::string_view>({"bytes",
                                                            "segments_to_server",
                                                            "segments_to_client",
                                                            "retransmits_to_server",
                                                            "retransmits_to_client",
                                                            "spurious_retransmits_to_server",
                                                            "spurious_retransmits_to_client",
                                                            "late_segments_to_server",
                                                            "late_segments_to_client",
                                                            "reordered_to_server",
                                                            "reordered_to_client",
                                                            "connections_opened",
                                                            "connections_failed",
                                                            "closed_reset",
                                                            "client_rtt_count",
                                                            "server_rtt_count",
                                                            "rtt_avg_us",
                                                            "requests",
                                                            "requests_failed",
                                                            "requests_unanswered",
                                                            "first_chunk_count",
                                                            "first_chunk_p99_us",
                                                            "receive_wait_count",
                                                            "receive_wait_p99_us"});

uint64_t Lost(const NamedCells& row, const std::string& direction) {
  const double again = row.Number("retransmits_" + direction) - row.Number("spurious_retransmits_" + direction);
  const double late = row.Number("late_segments_" + direction) - row.Number("reordered_" + direction);
  return Whole(std::max(again, late));
}

// Sums over all flows of the subject, and what of them is DNS.
Status AddFlows(Service& service, const model::Filter& filter, WhyFacts& facts) {
  store::FlowQuery query;
  query.range = {facts.from, facts.to};
  query.filter = filter;
  query.columns = ColumnsNamed(kMeasures);
  query.group_by = ColumnsNamed({"application"});
  query.limit = kMaxApplications;
  WEIR_ASSIGN_OR_RETURN(const store::FlowResult result, Counted(service.store.Query(query)));
  const NamedCells row(result, result.totals);
  facts.bytes = Whole(row.Number("bytes"));
  facts.segments = Whole(row.Number("segments_to_server") + row.Number("segments_to_client"));
  facts.lost = Lost(row, "to_server") + Lost(row, "to_client");
  facts.connections_opened = Whole(row.Number("connections_opened"));
  facts.connections_failed = Whole(row.Number("connections_failed"));
  facts.resets = Whole(row.Number("closed_reset"));
  if (row.Number("client_rtt_count") + row.Number("server_rtt_count") > 0) facts.rtt_us = row.Number("rtt_avg_us");
  facts.requests = Whole(row.Number("requests"));
  facts.first_chunk_p99_us = Measured(row, "first_chunk_count", "first_chunk_p99_us");
  facts.receive_wait_p99_us = Measured(row, "receive_wait_count", "receive_wait_p99_us");
  for (const auto& cells : result.rows) {
    const NamedCells group(result, cells);
    if (group.Text("application") != "dns") continue;
    facts.dns_queries = Whole(group.Number("requests"));
    facts.dns_failed = Whole(group.Number("requests_failed") + group.Number("requests_unanswered"));
    facts.requests -= std::min(facts.requests, facts.dns_queries);
  }
  return Status::Ok();
}

// What was usual before the time that is asked about.
struct Usual {
  std::optional<double> rtt_us;
  std::optional<double> first_chunk_us;
};

Result<Usual> FindUsual(Service& service, const model::Filter& filter, UnixMillis before) {
  store::FlowQuery query;
  query.range = {before - kUsualMs, before};
  query.filter = filter;
  query.columns =
      ColumnsNamed({"client_rtt_count", "server_rtt_count", "rtt_avg_us", "first_chunk_count", "first_chunk_p99_us"});
  query.group_by = ColumnsNamed({"protocol"});
  query.limit = 1;
  WEIR_ASSIGN_OR_RETURN(const store::FlowResult result, Counted(service.store.Query(query)));
  const NamedCells row(result, result.totals);
  Usual usual;
  if (row.Number("client_rtt_count") + row.Number("server_rtt_count") > 0) usual.rtt_us = row.Number("rtt_avg_us");
  usual.first_chunk_us = Measured(row, "first_chunk_count", "first_chunk_p99_us");
  return usual;
}

// How many flows the subject has, and the nodes and the pairs of zones they touch.
struct Places {
  uint64_t flows = 0;
  std::set<std::string> own_nodes;
  std::set<std::string> scopes;  // references
};

bool IsEnd(const Subject& subject, const NamedCells& row, const std::string& end) {
  switch (subject.kind) {
    case SubjectKind::kPod: return row.Text(end + "pod") == subject.pod;
    case SubjectKind::kWorkload: return row.Text(end + "workload") == subject.workload;
    case SubjectKind::kNode: return row.Text(end + "node") == subject.node;
    default: return row.Text(end + "process") == subject.process;
  }
}

Result<Places> FindPlaces(Service& service, const model::Filter& filter, const Subject& subject,
                          const store::TimeRange& range) {
  store::FlowQuery query;
  query.range = range;
  query.filter = filter;
  query.columns = ColumnsNamed({"bytes"});
  query.group_by = ColumnsNamed({"client_node", "client_zone", "client_pod", "client_workload", "client_process",
                                 "server_node", "server_zone", "server_pod", "server_workload", "server_process"});
  query.by_flow = true;  // their names are at hand in memory
  query.totals = false;
  query.limit = kMaxPlaces;
  WEIR_ASSIGN_OR_RETURN(const store::FlowResult result, Counted(service.store.Query(query)));
  Places places;
  places.flows = result.groups;
  for (const auto& cells : result.rows) {
    const NamedCells row(result, cells);
    for (const std::string end : {"client_", "server_"}) {
      const std::string node(row.Text(end + "node"));
      if (!node.empty()) places.scopes.insert("node:" + node);
      if (!node.empty() && IsEnd(subject, row, end)) places.own_nodes.insert(node);
    }
    const std::string from(row.Text("client_zone"));
    const std::string to(row.Text("server_zone"));
    if (!from.empty() && !to.empty()) places.scopes.insert(SubjectReference(diagnose::ZonePairSubject(from, to)));
  }
  return places;
}

bool IsAllowance(NodeSignal signal) {
  constexpr std::array kAllowances{NodeSignal::allowance_bandwidth_in, NodeSignal::allowance_bandwidth_out,
                                   NodeSignal::allowance_packets,      NodeSignal::allowance_connections,
                                   NodeSignal::allowance_link_local,   NodeSignal::queue_rx_rate_limited,
                                   NodeSignal::queue_tx_rate_limited,  NodeSignal::qdisc_overlimits};
  return std::find(kAllowances.begin(), kAllowances.end(), signal) != kAllowances.end();
}

// Rates and allowances of the one node the subject is on.
Status AddNode(Service& service, WhyFacts& facts) {
  store::NodeStore* const store = service.store.node();
  if (facts.node.empty() || store == nullptr) return Status::Ok();
  const auto view = ViewOf(service);
  if (const auto known = view->capacities.find(facts.node); known != view->capacities.end()) {
    facts.node_baseline_bits = known->second.baseline_bits;
    facts.capacity_source = known->second.source;
  }
  WEIR_ASSIGN_OR_RETURN(const store::NodeTotals totals,
                        Counted(store->Totals({.range = {facts.from, facts.to}, .node = facts.node})));
  std::set<std::string> uplinks;
  bool counts = false;
  double exceeded = 0;
  for (const store::NodeTotal& total : totals.totals) {
    const bool uplink = total.signal == NodeSignal::interface_uplink || total.signal == NodeSignal::interface_hardware;
    if (uplink && total.last == 1) uplinks.insert(total.subject);
    counts = counts || IsAllowance(total.signal) || total.signal == NodeSignal::allowance_connections_left;
    if (IsAllowance(total.signal)) exceeded += static_cast<double>(total.sum);
  }
  for (const store::NodeTotal& total : totals.totals) {
    const bool bytes = total.signal == NodeSignal::interface_rx_bytes || total.signal == NodeSignal::interface_tx_bytes;
    if (!bytes || !uplinks.contains(total.subject)) continue;
    facts.node_bits = std::max(facts.node_bits.value_or(0), kBitsPerByte * static_cast<double>(total.highest));
  }
  if (counts) facts.node_exceeded = exceeded;
  return Status::Ok();
}

Status AddIndicators(Service& service, const Places& places, WhyFacts& facts) {
  store::FindingStore* const store = service.store.findings();
  if (store == nullptr) return Status::Ok();
  WEIR_ASSIGN_OR_RETURN(const store::Indicators found,
                        Counted(store->Find(store::IndicatorQuery{.range = {facts.from, facts.to}})));
  std::string last;
  for (const store::StoredIndicator& stored : found.indicators) {
    if (!places.scopes.contains(stored.scope)) continue;
    const Result<diagnose::HealthIndicator> indicator = diagnose::IndicatorFrom(stored.text);
    if (!indicator.ok()) continue;
    // Of several in that time the worst counts, a degraded one above all.
    if (stored.scope == last && facts.indicators.back().value.value_or(-1) >= indicator->value.value_or(-1)) continue;
    if (stored.scope == last) facts.indicators.pop_back();
    facts.indicators.push_back(*indicator);
    last = stored.scope;
  }
  return Status::Ok();
}

}  // namespace

Result<WhyFacts> GatherFacts(Service& service, const Subject& subject, const store::TimeRange& range) {
  WhyFacts facts;
  facts.subject = subject;
  facts.from = range.from;
  facts.to = range.to;
  WEIR_ASSIGN_OR_RETURN(const model::Filter filter, FilterOf(subject));
  // Most of a question's time is the same whatever it reads, so they are asked at once.
  auto asked_usual = std::async(std::launch::async, [&] { return FindUsual(service, filter, range.from); });
  auto asked_places = std::async(std::launch::async, [&] { return FindPlaces(service, filter, subject, range); });
  WEIR_RETURN_IF_ERROR(AddFlows(service, filter, facts));
  WEIR_ASSIGN_OR_RETURN(const Places places, asked_places.get());
  WEIR_ASSIGN_OR_RETURN(const Usual usual, asked_usual.get());
  facts.rtt_usual_us = usual.rtt_us;
  facts.first_chunk_usual_us = usual.first_chunk_us;
  facts.flows = places.flows;
  if (facts.flows == 0) return facts;
  if (facts.requests != 0) {
    WEIR_ASSIGN_OR_RETURN(facts.beside, BesideOf(service, subject, range));
  }
  if (subject.kind == SubjectKind::kNode) {
    facts.node = subject.node;
  } else if (places.own_nodes.size() == 1) {
    facts.node = *places.own_nodes.begin();
  }
  WEIR_RETURN_IF_ERROR(AddNode(service, facts));
  WEIR_RETURN_IF_ERROR(AddIndicators(service, places, facts));
  return facts;
}

Result<std::vector<Subject>> Meant(Service& service, const std::string& word, const store::TimeRange& range) {
  const size_t slash = word.find('/');
  const std::string space = slash == std::string::npos ? "" : word.substr(0, slash);
  const std::string name = slash == std::string::npos ? word : word.substr(slash + 1);
  WEIR_ASSIGN_OR_RETURN(const std::vector<model::EntityRef> called,
                        Counted(service.store.EntitiesCalled(name, range, kMaxEnds)));
  // By rank of its kind, then by reference.
  std::map<std::pair<int, std::string>, Subject> candidates;
  const auto add = [&](int rank, const Subject& subject) { candidates[{rank, SubjectReference(subject)}] = subject; };
  for (const model::EntityRef& entity : called) {
    Subject subject;
    subject.name_space = entity->namespace_;
    subject.workload = entity->workload;
    subject.workload_kind = entity->workload_kind;
    subject.node = entity->node;
    const bool in_space = space.empty() || subject.name_space == space;
    Subject pod = subject;
    pod.kind = SubjectKind::kPod;
    pod.pod = entity->pod;
    if (in_space && pod.pod == name) add(0, pod);
    Subject workload = subject;
    workload.kind = SubjectKind::kWorkload;
    workload.node.clear();
    if (in_space && workload.workload == name) add(1, workload);
    if (space.empty() && subject.node == name) add(2, diagnose::NodeSubject("", name, ""));
    Subject process;
    process.kind = SubjectKind::kProcess;
    process.process = entity->process;
    process.node = subject.node;
    if (space.empty() && process.process == name) add(3, process);
  }
  std::vector<Subject> meant;
  for (const auto& [rank, subject] : candidates) {
    if (rank.first == candidates.begin()->first.first) meant.push_back(subject);
  }
  if (meant.empty()) {
    return Status::NotFound(fmt::format(
        "nothing called '{}' had traffic in the day before; name a pod, a workload, a node, a process or the id "
        "of a finding, or ask about another time",
        word.substr(0, 100)));
  }
  return meant;
}

}  // namespace weir::api
