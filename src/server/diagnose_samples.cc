#include "server/diagnose_samples.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "store/flow_hash.h"

namespace weir::server {
namespace {

using diagnose::Direction;
using diagnose::FlowSample;
using diagnose::RequestSample;
using model::FlowRow;

template <typename Into>
void Set(Into& into, uint64_t value) {
  into = static_cast<Into>(std::min<uint64_t>(value, std::numeric_limits<Into>::max()));
}

uint8_t SidesOf(const FlowRow& row) {
  return (row.client_reports != 0 ? diagnose::kByClient : 0) | (row.server_reports != 0 ? diagnose::kByServer : 0);
}

diagnose::Application ApplicationOf(std::string_view name) {
  using diagnose::Application;
  if (name.empty()) return Application::kUnknown;
  if (name == "dns") return Application::kDns;
  if (name == "http1" || name == "h2") return Application::kHttp;
  return name.starts_with("tls") ? Application::kTls : Application::kOther;
}

// Rows about requests have counters of requests and nothing of a flow's.
bool AboutRequests(const FlowRow& row) {
  return row.requests + row.requests_failed + row.requests_unanswered + row.requests_repeated + row.requests_unusable !=
         0;
}

// What flows and requests have in common.
template <typename Sample>
void SetEnds(const FlowRow& row, Sample& sample) {
  sample.flow = store::FlowHash(row);
  sample.client = Of(row.client).id;
  sample.server = Of(row.server).id;
  sample.start = row.start;
  sample.end = row.end;
  sample.server_port = row.server_port;
  sample.reported_by = SidesOf(row);
  sample.application = ApplicationOf(row.application);
}

void SetRtt(uint64_t count, uint64_t sum_us, uint64_t min_us, uint64_t max_us, diagnose::Rtt& rtt) {
  Set(rtt.count, count);
  Set(rtt.min_us, min_us);
  Set(rtt.max_us, max_us);
  rtt.sum_us = sum_us;
}

FlowSample FlowOf(const FlowRow& row) {
  FlowSample sample;
  SetEnds(row, sample);
#define WEIR_MEASURE(name, type)                    \
  Set(sample.to_server.name, row.name##_to_server); \
  Set(sample.to_client.name, row.name##_to_client);
  WEIR_DIRECTION_MEASURES(WEIR_MEASURE)
#undef WEIR_MEASURE
#define WEIR_MEASURE(name) Set(sample.name, row.name);
  WEIR_FLOW_MEASURES(WEIR_MEASURE)
#undef WEIR_MEASURE
  SetRtt(row.client_rtt_count, row.client_rtt_sum_us, row.client_rtt_min_us, row.client_rtt_max_us, sample.client_rtt);
  SetRtt(row.server_rtt_count, row.server_rtt_sum_us, row.server_rtt_min_us, row.server_rtt_max_us, sample.server_rtt);
  return sample;
}

RequestSample RequestsOf(const FlowRow& row) {
  RequestSample sample;
  SetEnds(row, sample);
  sample.operation = row.operation;
  sample.resource = row.resource;
  sample.result = row.result;
  sample.requests = row.requests;
  sample.requests_failed = row.requests_failed;
  sample.requests_unanswered = row.requests_unanswered;
  sample.requests_repeated = row.requests_repeated;
  sample.requests_streamed = row.requests_streamed;
#define WEIR_TIME(name) sample.name = {row.name##_count, row.name##_sum_us, row.name##_max_us, row.name##_histogram};
  WEIR_REQUEST_TIMES(WEIR_TIME)
#undef WEIR_TIME
  return sample;
}

}  // namespace

void SampleMaker::Tell(const model::EntityRef& entity, DiagnoseSamples& samples) {
  if (entity == nullptr) return;
  model::EntityRef& told = told_[entity->id];
  if (told == entity) return;
  told = entity;
  samples.entities.push_back(entity);
}

DiagnoseSamples SampleMaker::Make(const std::vector<FlowRow>& rows, UnixMillis now) {
  if (told_.size() > kMaxTold || now >= forget_at_ || now < forget_at_ - kForgetMs) {
    told_.clear();
    forget_at_ = now + kForgetMs;
  }
  DiagnoseSamples samples;
  samples.flows.reserve(rows.size());
  for (const FlowRow& row : rows) {
    Tell(row.client, samples);
    Tell(row.server, samples);
    if (AboutRequests(row)) {
      samples.requests.push_back(RequestsOf(row));
    } else {
      samples.flows.push_back(FlowOf(row));
    }
  }
  return samples;
}

}  // namespace weir::server
