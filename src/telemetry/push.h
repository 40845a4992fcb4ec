// Push: what the server tells other systems of its own accord: its metrics by remote write and OTLP, once per period,
// and its flows as OTLP log records, as they are stored.
//
// Threads: `weir-push` visits, encodes and packs; each receiver has one of its own (outbox.h). The hub hands over
// blocks, which wait here in a bounded queue: nothing here holds up who stores.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/metric_family.h"
#include "base/status.h"
#include "server/live_hub.h"
#include "telemetry/otlp.h"
#include "telemetry/outbox.h"
#include "telemetry/remote_write.h"

namespace weir::telemetry {

struct PushOptions {
  std::vector<std::string> remote_write;  // URLs; empty: none
  std::string otlp;                       // base URL, to which /v1/metrics and /v1/logs are added; "" = none
  bool flows = false;                     // by OTLP, as log records
  std::chrono::milliseconds period{15'000};
  std::map<std::string, std::string> headers;  // sent to all
  std::string ca_file;                         // "" = the system's authorities
  std::string instance;                        // what the server is called
  std::string cluster;                         // "" = unknown
  size_t max_queued_rows = 50'000;
  size_t max_queued_bytes = size_t{32} << 20;  // of each receiver

  bool empty() const { return remote_write.empty() && otlp.empty(); }
};

class Push final : public server::LiveSink {
 public:
  using Visit = std::function<void(MetricVisitor&)>;
  // Tests bring their own.
  using MakeClient = std::function<std::unique_ptr<net::HttpClient>()>;

  // kInvalid names the URL and what is wrong with it. `clock` outlives this.
  static Result<std::unique_ptr<Push>> Create(PushOptions options, const Clock& clock,
                                              MakeClient make_client = nullptr);
  ~Push() override { Stop(); }
  Push(const Push&) = delete;
  Push& operator=(const Push&) = delete;

  // `visit` gives all metrics, on the thread `weir-push`; what it needs outlives Stop().
  void Start(Visit visit);
  // Sends a last round, for two seconds at most. Idempotent.
  void Stop();

  void Take(const server::LiveBlockRef& block) override;
  void Lost(size_t items) override;

  // One round of the metrics, for tests without the thread.
  void SendMetrics(const Visit& visit);

 private:
  struct Writer {
    RemoteWriteRounds rounds;
    std::unique_ptr<Outbox> outbox;
  };

  Push(PushOptions options, const Clock& clock, const MakeClient& make_client);
  std::unique_ptr<Outbox> MakeOutbox(OutboxOptions options, const MakeClient& make_client);
  std::unique_ptr<Outbox> MakeOtlpOutbox(const std::string& path, const MakeClient& make_client);
  void Run(const Visit& visit);
  void SendFlows(const server::LiveBlock& block);

  const PushOptions options_;
  const Clock& clock_;
  const UnixMillis started_;
  const ResourceAttributes resource_;
  std::vector<Writer> writers_;
  std::unique_ptr<Outbox> metrics_;  // null without OTLP
  std::unique_ptr<Outbox> logs_;     // null without flows

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<server::LiveBlockRef> blocks_;  // guarded by mutex_, as the next two
  size_t queued_rows_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace weir::telemetry
