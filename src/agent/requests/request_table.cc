#include "agent/requests/request_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "agent/flow/record_address.h"
#include "agent/requests/grpc_status.h"
#include "base/metrics.h"

namespace weir::agent::requests {
namespace {

constexpr int kFirstServerError = 500;

template <typename Histogram>
void AddTime(uint64_t took_us, uint64_t& count, uint64_t& sum_us, uint64_t& max_us, Histogram& histogram) {
  ++count;
  sum_us += took_us;
  max_us = std::max(max_us, took_us);
  histogram.Add(took_us);
}

void AddTurn(const Turn& turn, model::SideCounters& to) {
  if (turn.outcome == TurnOutcome::kUnusable) {
    ++to.requests_unusable;
    return;
  }
  ++to.requests;
  const bool reset_before = turn.outcome == TurnOutcome::kReset && turn.latency_us < 0;
  if (turn.outcome == TurnOutcome::kUnanswered || reset_before) ++to.requests_unanswered;
  if (!turn.gaps_us.empty()) ++to.requests_streamed;
  to.requests_body_bytes += turn.request_body_bytes;
  if (turn.status >= kFirstServerError || IsGrpcServerError(turn.grpc_status)) ++to.requests_failed;
#define WEIR_ADD(name, took_us) \
  AddTime(static_cast<uint64_t>(took_us), to.name##_count, to.name##_sum_us, to.name##_max_us, to.name##_histogram)
  if (turn.latency_us >= 0) WEIR_ADD(request_latency, turn.latency_us);
  if (turn.first_chunk_us >= 0) WEIR_ADD(first_chunk, turn.first_chunk_us);
  if (turn.duration_us >= 0) WEIR_ADD(request_duration, turn.duration_us);
  if (turn.upload_us >= 0) WEIR_ADD(request_upload, turn.upload_us);
  if (turn.receive_wait_us >= 0) WEIR_ADD(receive_wait, turn.receive_wait_us);
  if (turn.accept_wait_us >= 0) WEIR_ADD(accept_wait, turn.accept_wait_us);
  if (turn.client_idle_us >= 0) WEIR_ADD(client_idle, turn.client_idle_us);
  for (const uint32_t gap : turn.gaps_us) WEIR_ADD(chunk_gap, gap);
#undef WEIR_ADD
}

// HTTP says 200 of a call of gRPC that failed.
std::string ResultOf(const Turn& turn) {
  constexpr int kOk = 200;
  const bool succeeded = turn.grpc_status == 0 || turn.grpc_status == -1;
  return turn.status != kOk || succeeded ? fmt::format("{}", turn.status) : GrpcStatusName(turn.grpc_status);
}

template <typename T>
void Append(std::string& key, const T& value) {
  key.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace

const std::string& RequestTable::Bounded(const weir_step_head& ends, const std::string& resource) {
  static const std::string kOther = "(other)";
  if (resource.empty()) return resource;
  std::set<std::string>& known = templates_[{ends.netns, ends.local_port}];
  if (known.contains(resource)) return resource;
  if (known.size() >= kMaxTemplates) return kOther;
  known.insert(resource);
  return resource;
}

model::SideReport RequestTable::MakeReport(const weir_step_head& ends, const Turn& turn, const std::string& resource) {
  model::SideReport report;
  report.ends.side = model::Side::kServer;
  report.ends.client_address = flow::AddressOf(static_cast<uint8_t>(ends.family), ends.remote_address);
  report.ends.server_address = flow::AddressOf(static_cast<uint8_t>(ends.family), ends.local_address);
  report.ends.server_port = ends.local_port;
  report.ends.netns = ends.netns;
  const std::string_view comm(ends.comm, strnlen(ends.comm, sizeof(ends.comm)));
  report.identity.process = identity::PrintableName(comm, WEIR_COMM_BYTES);
  const auto name = identities_.NameOf(identities_.OwnerOf(ends.cgroup_id, ends.pid, ends.netns, comm));
  report.identity.container = name->container;
  report.identity.unit = name->unit;
  report.identity.pod_uid = name->pod_uid;
  report.identity.container_name = name->container_name;
  report.identity.image = name->image;
  report.identity.netns_name = *identities_.NetnsNameOf(ends.netns);
  report.request.application = turn.application;
  report.request.operation = turn.method;
  report.request.resource = resource;
  report.request.result = turn.ending;
  if (turn.status != 0 && turn.ending.empty()) report.request.result = ResultOf(turn);
  return report;
}

void RequestTable::Add(const weir_step_head& ends, const Turn& turn) {
  const std::string& resource = Bounded(ends, turn.resource);
  key_.clear();
  Append(key_, ends.cgroup_id);
  Append(key_, ends.netns);
  Append(key_, ends.local_address);
  Append(key_, ends.remote_address);
  Append(key_, ends.local_port);
  Append(key_, ends.comm);
  Append(key_, turn.status);
  Append(key_, turn.grpc_status);
  Append(key_, turn.application.size());  // h2 or http1
  key_.append(turn.ending).push_back('\0');
  key_.append(turn.method).push_back('\0');
  key_.append(resource);
  auto known = rows_.find(key_);
  if (known == rows_.end()) {
    if (rows_.size() >= kMaxRows) {
      Count(Metric::agent_request_table_full);
      return;
    }
    known = rows_.emplace(key_, MakeReport(ends, turn, resource)).first;
  }
  AddTurn(turn, known->second.counters);
}

void RequestTable::Emit(std::vector<model::SideReport>& out) {
  out.reserve(out.size() + rows_.size());
  for (auto& [key, report] : rows_) out.push_back(std::move(report));
  rows_.clear();
  templates_.clear();
}

}  // namespace weir::agent::requests
