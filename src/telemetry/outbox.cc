#include "telemetry/outbox.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/thread.h"

namespace weir::telemetry {
namespace {

using std::chrono::milliseconds;

constexpr size_t kMaxAnswerBytes = size_t{1} << 20;
constexpr size_t kMaxToldBytes = 200;
constexpr int64_t kLongestAskedSeconds = 600;

// Seconds alone (RFC 9110, 10.2.3); dates are not followed.
Nanos RetryAfter(const net::ClientResponse& response) {
  const auto found = response.headers.find("retry-after");
  if (found == response.headers.end()) return 0;
  int64_t seconds = 0;
  const std::string& text = found->second;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || rest != text.data() + text.size() || seconds < 0) return 0;
  return std::min(seconds, kLongestAskedSeconds) * 1'000'000'000;
}

// The start of what a receiver answered, fit for a line of the log.
std::string Told(const std::string& body) {
  std::string told = body.substr(0, kMaxToldBytes);
  for (char& c : told) {
    if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) > '~') c = ' ';
  }
  return told;
}

}  // namespace

Outbox::Outbox(OutboxOptions options, std::unique_ptr<net::HttpClient> client)
    : options_(std::move(options)),
      client_(std::move(client)),
      backoff_(options_.retry_shortest, options_.retry_longest, options_.jitter_seed) {}

void Outbox::Start() {
  thread_ = std::thread([this] {
    NameThisThread("weir-send");
    Run();
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  });
}

void Outbox::Put(std::string body, uint64_t items) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return Count(options_.counters.dropped, items);
  waiting_bytes_ += body.size();
  AddToGauge(options_.counters.queued_bytes, static_cast<int64_t>(body.size()));
  waiting_.push_back({std::move(body), items});
  while (waiting_bytes_ > options_.max_queued_bytes) {
    Drop(waiting_.front().items, waiting_.front().body.size());
    waiting_bytes_ -= waiting_.front().body.size();
    waiting_.pop_front();
  }
  changed_.notify_all();
}

void Outbox::Drop(uint64_t items, size_t bytes) {
  Count(options_.counters.dropped, items);
  AddToGauge(options_.counters.queued_bytes, -static_cast<int64_t>(bytes));
}

void Outbox::Stop(milliseconds patience) {
  {
    std::unique_lock lock(mutex_);
    if (!stopping_) give_up_at_ = std::chrono::steady_clock::now() + patience;
    stopping_ = true;
    changed_.notify_all();
    if (thread_.joinable()) changed_.wait_until(lock, give_up_at_, [this] { return ended_; });
  }
  abort_ = true;  // a request that is under way may have a long timeout
  if (thread_.joinable()) thread_.join();
  const std::lock_guard lock(mutex_);
  for (const Parcel& parcel : waiting_) Drop(parcel.items, parcel.body.size());
  waiting_.clear();
}

bool Outbox::Await(Parcel& parcel) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
  if (waiting_.empty() || std::chrono::steady_clock::now() >= give_up_at_) return false;
  parcel = std::move(waiting_.front());
  waiting_bytes_ -= parcel.body.size();
  waiting_.pop_front();
  return true;
}

void Outbox::Run() {
  Parcel parcel;
  while (Await(parcel)) {
    while (Deliver(parcel) == Outcome::kAgain) {
      Count(options_.counters.retries);
      if (WaitToRetry()) continue;
      return Drop(parcel.items, parcel.body.size());
    }
    backoff_.Reset();
    AddToGauge(options_.counters.queued_bytes, -static_cast<int64_t>(parcel.body.size()));
  }
}

bool Outbox::WaitToRetry() {
  const Nanos pause = std::max(backoff_.Next(), std::exchange(receiver_asks_ns_, 0));
  std::unique_lock lock(mutex_);
  // At the end each parcel has one attempt, and a receiver that is away holds up nobody.
  changed_.wait_for(lock, std::chrono::nanoseconds(pause), [&] { return stopping_; });
  return !stopping_;
}

Outbox::Outcome Outbox::Deliver(const Parcel& parcel) {
  net::ClientRequest request;
  request.method = "POST";
  request.url = options_.url;
  request.headers = options_.headers;
  request.body = parcel.body;
  request.timeout = options_.timeout;
  request.max_response_bytes = kMaxAnswerBytes;
  request.abort = &abort_;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      const auto left = std::chrono::duration_cast<milliseconds>(give_up_at_ - std::chrono::steady_clock::now());
      request.timeout = std::clamp(left, milliseconds(1), options_.timeout);
    }
  }
  const Result<net::ClientResponse> response = client_->Send(request);
  if (response.ok()) return Judge(parcel, *response);
  const bool for_good = response.status().code() == Code::kInvalid;
  Complain(response.status().message(), for_good);
  if (!for_good) return Outcome::kAgain;
  Count(options_.counters.rejected, parcel.items);
  return Outcome::kDone;
}

Outbox::Outcome Outbox::Judge(const Parcel& parcel, const net::ClientResponse& response) {
  if (response.status >= 200 && response.status < 300) {
    const uint64_t refused = options_.refused_of ? std::min(options_.refused_of(response.body), parcel.items) : 0;
    if (refused != 0) Complain(fmt::format("it took a request but for {} items", refused), true);
    Count(options_.counters.rejected, refused);
    Count(options_.counters.delivered, parcel.items - refused);
    return Outcome::kDone;
  }
  const bool again = options_.worth_another(response.status);
  Complain(fmt::format("HTTP {}: {}", response.status, Told(response.body)), !again);
  if (again) {
    receiver_asks_ns_ = RetryAfter(response);
    return Outcome::kAgain;
  }
  Count(options_.counters.rejected, parcel.items);
  return Outcome::kDone;
}

void Outbox::Complain(const std::string& cause, bool for_good) {
  uint64_t suppressed = 0;
  if (!failure_log_.Allow(&suppressed)) return;
  LogWarn("{} to {}: {}; {} (and {} failures before)", options_.what, options_.url, cause,
          for_good ? "that is lost" : "will be sent again", suppressed);
}

}  // namespace weir::telemetry
