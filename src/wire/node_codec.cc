#include "wire/node_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>

#include "base/metrics.h"
#include "wire/batch_codec.h"

namespace weir::wire {
namespace {

using model::NodeSample;
using model::RateWindow;

constexpr uint32_t kLongestStepUs = 60'000'000;

// Of a sample from the end of its batch. Either way: a batch may be short, its node's last reading is older.
Status CheckDistance(std::string_view what, int64_t distance_ms) {
  if (std::abs(distance_ms) <= kMaxIntervalMs) return Status::Ok();
  return Status::Invalid(fmt::format("{} is {} ms from its batch", what, distance_ms));
}

Status CheckWindow(const RateWindow& window) {
  const size_t steps = window.step_us.size();
  if (steps == 0 || steps > model::kMaxRateSteps) return Status::Invalid(fmt::format("a window of {} steps", steps));
  for (const auto* list : {&window.rx_bytes, &window.tx_bytes, &window.rx_packets, &window.tx_packets}) {
    if (list->size() != steps) return Status::Invalid(fmt::format("{} values for {} steps", list->size(), steps));
    if (std::any_of(list->begin(), list->end(), [](uint64_t value) { return value > model::kMaxNodeValue; })) {
      return Status::Invalid("a step beyond 2^53");
    }
  }
  if (std::any_of(window.step_us.begin(), window.step_us.end(), [](uint32_t us) { return us > kLongestStepUs; })) {
    return Status::Invalid("a step of more than a minute");
  }
  return Status::Ok();
}

template <typename From, typename To>
void Copy(const From& from, To* to) {
  to->Reserve(static_cast<int>(from.size()));
  for (const auto value : from) to->Add(value);
}

// The signal of an index; false when it is one this build does not know.
Result<bool> TakeSignal(const v1::Batch& message, uint32_t index, model::NodeSignal& to) {
  std::string name;
  WEIR_RETURN_IF_ERROR(TakeName("signal", message, index, name));
  const auto signal = model::FindNodeSignal(name);
  if (!signal) {
    Count(Metric::server_node_unknown);
    return false;
  }
  to = *signal;
  return true;
}

// False: left out.
Result<bool> TakeSample(const v1::Batch& message, const v1::NodeSample& from, UnixMillis end, NodeSample& to) {
  WEIR_ASSIGN_OR_RETURN(const bool known, TakeSignal(message, from.signal(), to.signal));
  WEIR_RETURN_IF_ERROR(CheckDistance("its time", from.time_ms()));
  WEIR_RETURN_IF_ERROR(TakeName("subject", message, from.subject(), to.subject));
  if (from.value() > model::kMaxNodeValue) return Status::Invalid("a value beyond 2^53");
  if (from.period_ms() > kMaxIntervalMs) return Status::Invalid(fmt::format("a period of {} ms", from.period_ms()));
  to.netns = from.netns();
  to.value = from.value();
  to.time = end + from.time_ms();
  to.period_ms = from.period_ms();
  return known;
}

Result<bool> TakeWindow(const v1::Batch& message, const v1::RateWindow& from, UnixMillis end, RateWindow& to) {
  WEIR_ASSIGN_OR_RETURN(const bool known, TakeSignal(message, from.cause(), to.cause));
  WEIR_RETURN_IF_ERROR(TakeName("subject", message, from.subject(), to.subject));
  WEIR_RETURN_IF_ERROR(TakeName("cause_subject", message, from.cause_subject(), to.cause_subject));
  WEIR_RETURN_IF_ERROR(CheckDistance("its event", from.event_ms()));
  WEIR_RETURN_IF_ERROR(CheckDistance("its start", from.start_ms()));
  to.event = end + from.event_ms();
  to.start = end + from.start_ms();
  to.step_us.assign(from.step_us().begin(), from.step_us().end());
  to.rx_bytes.assign(from.rx_bytes().begin(), from.rx_bytes().end());
  to.tx_bytes.assign(from.tx_bytes().begin(), from.tx_bytes().end());
  to.rx_packets.assign(from.rx_packets().begin(), from.rx_packets().end());
  to.tx_packets.assign(from.tx_packets().begin(), from.tx_packets().end());
  WEIR_RETURN_IF_ERROR(CheckWindow(to));
  return known;
}

Status PutWindow(const RateWindow& window, UnixMillis end, Dictionary& dictionary, v1::RateWindow& to) {
  WEIR_RETURN_IF_ERROR(CheckWindow(window));
  to.set_subject(dictionary.IndexOf(window.subject));
  to.set_cause(dictionary.IndexOf(model::Describe(window.cause).name));
  to.set_cause_subject(dictionary.IndexOf(window.cause_subject));
  to.set_event_ms(static_cast<int32_t>(window.event - end));
  to.set_start_ms(static_cast<int32_t>(window.start - end));
  Copy(window.step_us, to.mutable_step_us());
  Copy(window.rx_bytes, to.mutable_rx_bytes());
  Copy(window.tx_bytes, to.mutable_tx_bytes());
  Copy(window.rx_packets, to.mutable_rx_packets());
  Copy(window.tx_packets, to.mutable_tx_packets());
  return Status::Ok();
}

}  // namespace

Status PutNode(const model::AgentBatch& batch, Dictionary& dictionary, v1::Batch& to) {
  for (const NodeSample& sample : batch.node_samples) {
    // The wall clock was set by hours in between: that must not cost the batch its flows.
    if (!CheckDistance("a node sample", sample.time - batch.end).ok()) {
      Count(Metric::agent_node_samples_dropped);
      continue;
    }
    v1::NodeSample& out = *to.add_node_samples();
    out.set_signal(dictionary.IndexOf(model::Describe(sample.signal).name));
    out.set_subject(dictionary.IndexOf(sample.subject));
    out.set_netns(sample.netns);
    out.set_value(sample.value);
    out.set_time_ms(static_cast<int32_t>(sample.time - batch.end));
    out.set_period_ms(sample.period_ms);
  }
  for (const RateWindow& window : batch.rate_windows) {
    const bool near =
        CheckDistance("", window.event - batch.end).ok() && CheckDistance("", window.start - batch.end).ok();
    if (!near) continue;
    WEIR_RETURN_IF_ERROR(PutWindow(window, batch.end, dictionary, *to.add_rate_windows()).Annotate("rate window"));
  }
  return Status::Ok();
}

Status TakeNode(const v1::Batch& message, model::AgentBatch& batch) {
  batch.node_samples.reserve(static_cast<size_t>(message.node_samples_size()));
  for (int i = 0; i < message.node_samples_size(); ++i) {
    NodeSample sample;
    Result<bool> taken = TakeSample(message, message.node_samples(i), batch.end, sample);
    if (!taken.ok()) return taken.status().Annotate(fmt::format("node sample {}", i));
    if (*taken) batch.node_samples.push_back(std::move(sample));
  }
  for (int i = 0; i < message.rate_windows_size(); ++i) {
    RateWindow window;
    Result<bool> taken = TakeWindow(message, message.rate_windows(i), batch.end, window);
    if (!taken.ok()) return taken.status().Annotate(fmt::format("rate window {}", i));
    if (*taken) batch.rate_windows.push_back(std::move(window));
  }
  return Status::Ok();
}

}  // namespace weir::wire
