// Outbox: encoded requests on their way to one receiver, sent in order and one at a time by a thread of its own.
//
// What waits is bounded in bytes; beyond, the oldest go. What fails for now is tried again, with growing waits or when
// the receiver says; what is refused for good is dropped. Both losses are counted, in items: samples, points, records.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "net/http_client.h"

namespace weir::telemetry {

struct OutboxCounters {
  Metric delivered, retries, rejected, dropped;  // all but retries count items
  Metric queued_bytes;                           // a gauge, shared by the outboxes that name it
};

struct OutboxOptions {
  std::string what;  // for messages: "--remote-write"
  std::string url;
  std::map<std::string, std::string> headers;
  OutboxCounters counters{};
  // Whether the same request may succeed later, by the HTTP status of its refusal.
  std::function<bool(int status)> worth_another;
  // Items of a delivered request that were refused all the same, by its answer's body; may be empty.
  std::function<uint64_t(const std::string& body)> refused_of;
  size_t max_queued_bytes = size_t{32} << 20;
  std::chrono::milliseconds timeout{30'000};
  Nanos retry_shortest = 1'000'000'000;
  Nanos retry_longest = 10'000'000'000;
  uint64_t jitter_seed = 0;
};

// Thread-safe.
class Outbox {
 public:
  Outbox(OutboxOptions options, std::unique_ptr<net::HttpClient> client);
  ~Outbox() { Stop(std::chrono::milliseconds(0)); }
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  void Start();
  // Never waits for the receiver.
  void Put(std::string body, uint64_t items);
  // Sends what waits for at most about `patience`, drops the rest, and ends the thread. Idempotent.
  void Stop(std::chrono::milliseconds patience);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Parcel {
    std::string body;
    uint64_t items = 0;
  };
  enum class Outcome : uint8_t { kDone, kAgain };

  void Run();
  // The next parcel; false: the end.
  bool Await(Parcel& parcel);
  Outcome Deliver(const Parcel& parcel);
  Outcome Judge(const Parcel& parcel, const net::ClientResponse& response);
  void Complain(const std::string& cause, bool for_good);
  // False: the outbox is to end.
  bool WaitToRetry();
  void Drop(uint64_t items, size_t bytes);

  const OutboxOptions options_;
  const std::unique_ptr<net::HttpClient> client_;  // the thread's

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Parcel> waiting_;  // guarded by mutex_, as the four below
  size_t waiting_bytes_ = 0;
  bool stopping_ = false;
  bool ended_ = false;  // the thread has
  TimePoint give_up_at_ = TimePoint::max();

  std::atomic<bool> abort_{false};
  Backoff backoff_;             // the thread's, as is the next
  Nanos receiver_asks_ns_ = 0;  // to be left alone for so long; 0 = it did not say
  RateLimit failure_log_{std::chrono::minutes(1)};
  std::thread thread_;
};

}  // namespace weir::telemetry
