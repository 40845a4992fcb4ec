#include "server/flow_server.h"

#include <future>
#include <utility>

#include "base/log.h"
#include "base/thread.h"
#include "server/naming.h"

namespace weir::server {
namespace {

constexpr std::chrono::seconds kMaintenancePeriod{1};

}  // namespace

Result<std::unique_ptr<FlowServer>> FlowServer::Start(ServerOptions options, store::Store& store, const Clock& clock,
                                                      BatchDecoder decode) {
  auto watermarks = store.Watermarks();
  if (!watermarks.ok()) return watermarks.status().Annotate("read what has been stored");
  std::unique_ptr<FlowServer> server(new FlowServer(options, store, clock, std::move(decode), *watermarks));
  server->live_.Start();
  server->writer_.Start();
  server->maintenance_ = std::thread([raw = server.get()] { raw->MaintainStore(); });
  return server;
}

FlowServer::FlowServer(const ServerOptions& options, store::Store& store, const Clock& clock, BatchDecoder decode,
                       const std::map<std::string, uint64_t>& watermarks)
    : housekeeping_(options.housekeeping),
      store_(store),
      clock_(clock),
      decode_(std::move(decode)),
      namer_(options.namer),
      intake_({.max_pending_reports = options.max_pending_reports}, clock, watermarks),
      live_({.window = options.live_window, .max_rows = options.live_max_rows}),
      writer_({.flush_interval = options.flush_interval, .matcher = {.match_hold_ms = options.match_hold.count()}},
              intake_, store, live_, clock, options.namer) {
  for (const Follower& follower : options.followers) live_.AddSink(*follower.sink, follower.options);
}

FlowServer::~FlowServer() { Stop(); }

void FlowServer::Ingest(std::string_view encoded_batch, UnixMillis sent_at, AckCallback done) {
  Result<model::AgentBatch> batch = decode_(encoded_batch);
  if (!batch.ok()) {
    CountRefusal(batch.status());
    done(batch.status());
    return;
  }
  if (namer_ != nullptr) done = WithNames(*batch, std::move(done));
  intake_.Accept(*std::move(batch), sent_at, std::move(done));
}

Server::AckCallback FlowServer::WithNames(const model::AgentBatch& batch, AckCallback done) const {
  return [namer = namer_, node = batch.node, known = batch.names, done = std::move(done)](Result<wire::Ack> ack) {
    if (ack.ok()) ack->names = namer->NamesFor(node, known);
    done(std::move(ack));
  };
}

Result<wire::Ack> FlowServer::Send(const std::string& encoded_batch, UnixMillis sent_at) {
  std::promise<Result<wire::Ack>> answer;
  Ingest(encoded_batch, sent_at, [&](Result<wire::Ack> result) { answer.set_value(std::move(result)); });
  return answer.get_future().get();
}

std::vector<NameSource> FlowServer::NameSources() const {
  return namer_ == nullptr ? std::vector<NameSource>{} : namer_->Sources();
}

void FlowServer::Stop() {
  std::call_once(stopped_, [this] {
    intake_.Close();
    writer_.Stop();
    {
      const std::lock_guard lock(maintenance_mutex_);
      maintenance_stopping_ = true;
    }
    maintenance_ends_.notify_all();
    if (maintenance_.joinable()) maintenance_.join();
    live_.Stop();
  });
}

void FlowServer::MaintainStore() {
  NameThisThread("weir-maintain");
  RateLimit failure_log{std::chrono::minutes(1)};
  std::unique_lock lock(maintenance_mutex_);
  while (!maintenance_ends_.wait_for(lock, kMaintenancePeriod, [this] { return maintenance_stopping_; })) {
    lock.unlock();
    if (housekeeping_) housekeeping_();
    const Status status = store_.Maintain(clock_.WallMillis());
    uint64_t suppressed = 0;
    if (!status.ok() && failure_log.Allow(&suppressed)) {
      LogWarn("store maintenance failed, will be repeated: {} (and {} failures before)", status.message(), suppressed);
    }
    lock.lock();
  }
}

}  // namespace weir::server
