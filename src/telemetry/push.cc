#include "telemetry/push.h"

#include <fmt/format.h>

#include <utility>

#include "base/thread.h"
#include "base/version.h"
#include "net/gzip.h"
#include "telemetry/flow_records.h"
#include "telemetry/otlp_metrics.h"

namespace weir::telemetry {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kPatienceAtTheEnd{2'000};

constexpr OutboxCounters kRemoteWriteCounters{.delivered = Metric::push_remote_write_samples,
                                              .retries = Metric::push_remote_write_retries,
                                              .rejected = Metric::push_remote_write_rejected,
                                              .dropped = Metric::push_remote_write_dropped,
                                              .queued_bytes = Metric::push_remote_write_queued};
constexpr OutboxCounters kOtlpCounters{.delivered = Metric::push_otlp_points,
                                       .retries = Metric::push_otlp_retries,
                                       .rejected = Metric::push_otlp_rejected,
                                       .dropped = Metric::push_otlp_dropped,
                                       .queued_bytes = Metric::push_otlp_queued};

Status CheckUrl(std::string_view flag, std::string_view url) {
  if ((url.starts_with("http://") && url.size() > 7) || (url.starts_with("https://") && url.size() > 8)) {
    if (url.find_first_of(" \t\r\n#") == url.npos) return Status::Ok();
  }
  return Status::Invalid(fmt::format("{} {} is no URL; write http://HOST:PORT/PATH or https://...", flag, url));
}

// Remote write 1.0: 5xx are for now, all others of the client's making, 429 if it likes.
bool RemoteWriteAgain(int status) { return status >= 500 || status == 429; }
// OTLP 1, "Failures": these four and no others.
bool OtlpAgain(int status) { return status == 429 || status == 502 || status == 503 || status == 504; }

uint64_t RefusedOf(const std::string& body) {
  otlp::Answer answer;
  if (!answer.ParseFromString(body) || answer.partial_success().rejected() < 0) return 0;
  return static_cast<uint64_t>(answer.partial_success().rejected());
}

std::string WithoutSlash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace

Result<std::unique_ptr<Push>> Push::Create(PushOptions options, const Clock& clock, MakeClient make_client) {
  for (const std::string& url : options.remote_write) WEIR_RETURN_IF_ERROR(CheckUrl("--remote-write", url));
  if (!options.otlp.empty()) WEIR_RETURN_IF_ERROR(CheckUrl("--otlp", options.otlp));
  if (options.flows && options.otlp.empty()) {
    return Status::Invalid("--otlp-flows on has nowhere to send them; say where with --otlp");
  }
  if (!make_client) {
    make_client = [ca_file = options.ca_file] {
      return net::HttpClient::Create({.ca_file = ca_file, .bearer_token = ""});
    };
  }
  return std::unique_ptr<Push>(new Push(std::move(options), clock, make_client));
}

Push::Push(PushOptions options, const Clock& clock, const MakeClient& make_client)
    : options_(std::move(options)),
      clock_(clock),
      started_(clock.WallMillis()),
      resource_{{"service.name", "weir"},
                {"service.version", kVersion},
                {"service.instance.id", options_.instance},
                {"k8s.cluster.name", options_.cluster}} {
  std::vector<std::pair<std::string, std::string>> labels{{"job", "weir"}, {"instance", options_.instance}};
  if (!options_.cluster.empty()) labels.emplace_back("cluster", options_.cluster);
  for (const std::string& url : options_.remote_write) {
    OutboxOptions outbox;
    outbox.what = "--remote-write";
    outbox.url = url;
    outbox.headers = options_.headers;
    outbox.headers["Content-Type"] = "application/x-protobuf";
    outbox.headers["Content-Encoding"] = "snappy";
    outbox.headers["X-Prometheus-Remote-Write-Version"] = "0.1.0";
    outbox.counters = kRemoteWriteCounters;
    outbox.worth_another = RemoteWriteAgain;
    writers_.push_back({RemoteWriteRounds(labels), MakeOutbox(std::move(outbox), make_client)});
  }
  if (options_.otlp.empty()) return;
  metrics_ = MakeOtlpOutbox("/v1/metrics", make_client);
  if (options_.flows) logs_ = MakeOtlpOutbox("/v1/logs", make_client);
}

std::unique_ptr<Outbox> Push::MakeOutbox(OutboxOptions options, const MakeClient& make_client) {
  options.headers.try_emplace("User-Agent", fmt::format("weir/{}", kVersion));
  options.max_queued_bytes = options_.max_queued_bytes;
  options.jitter_seed = static_cast<uint64_t>(clock_.WallNanos());
  return std::make_unique<Outbox>(std::move(options), make_client());
}

std::unique_ptr<Outbox> Push::MakeOtlpOutbox(const std::string& path, const MakeClient& make_client) {
  OutboxOptions outbox;
  outbox.what = "--otlp";
  outbox.url = WithoutSlash(options_.otlp) + path;
  outbox.headers = options_.headers;
  outbox.headers["Content-Type"] = "application/x-protobuf";
  outbox.headers["Content-Encoding"] = "gzip";
  outbox.counters = kOtlpCounters;
  outbox.worth_another = OtlpAgain;
  outbox.refused_of = RefusedOf;
  return MakeOutbox(std::move(outbox), make_client);
}

void Push::Start(Visit visit) {
  for (const Writer& writer : writers_) writer.outbox->Start();
  if (metrics_) metrics_->Start();
  if (logs_) logs_->Start();
  thread_ = std::thread([this, visit = std::move(visit)] {
    NameThisThread("weir-push");
    Run(visit);
  });
}

void Push::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  for (const Writer& writer : writers_) writer.outbox->Stop(kPatienceAtTheEnd);
  if (metrics_) metrics_->Stop(kPatienceAtTheEnd);
  if (logs_) logs_->Stop(kPatienceAtTheEnd);
}

void Push::Take(const server::LiveBlockRef& block) {
  if (!logs_ || block->rows.empty()) return;
  const std::lock_guard lock(mutex_);
  if (stopping_ || (queued_rows_ != 0 && queued_rows_ + block->rows.size() > options_.max_queued_rows)) {
    return Count(Metric::push_otlp_rows_lost, block->rows.size());
  }
  queued_rows_ += block->rows.size();
  blocks_.push_back(block);
  changed_.notify_all();
}

void Push::Lost(size_t items) {
  if (logs_) Count(Metric::push_otlp_rows_lost, items);
}

void Push::Run(const Visit& visit) {
  // The first soon, so that who sets it up sees at once whether it works.
  steady_clock::time_point next = steady_clock::now() + std::min(options_.period, milliseconds(1'000));
  std::unique_lock lock(mutex_);
  while (!stopping_ || !blocks_.empty()) {
    changed_.wait_until(lock, next, [this] { return stopping_ || !blocks_.empty(); });
    if (!blocks_.empty()) {
      const server::LiveBlockRef block = std::move(blocks_.front());
      blocks_.pop_front();
      lock.unlock();
      SendFlows(*block);
      lock.lock();
      queued_rows_ -= block->rows.size();
    }
    const steady_clock::time_point now = steady_clock::now();
    if (stopping_ || now < next) continue;
    lock.unlock();
    SendMetrics(visit);
    lock.lock();
    // Rounds that did not fit into their period are left out.
    next += options_.period * ((now - next) / options_.period + 1);
  }
  lock.unlock();
  SendMetrics(visit);
}

void Push::SendMetrics(const Visit& visit) {
  const UnixMillis now = clock_.WallMillis();
  for (Writer& writer : writers_) {
    for (Encoded& encoded : writer.rounds.Encode(now, visit))
      writer.outbox->Put(std::move(encoded.body), encoded.items);
  }
  if (!metrics_) return;
  OtlpMetrics metrics(resource_, now, started_);
  visit(metrics);
  for (const Encoded& encoded : metrics.Finish()) metrics_->Put(net::Gzip(encoded.body), encoded.items);
}

void Push::SendFlows(const server::LiveBlock& block) {
  for (const Encoded& encoded : FlowRecords(block.rows, block.stored, resource_)) {
    logs_->Put(net::Gzip(encoded.body), encoded.items);
  }
}

}  // namespace weir::telemetry
