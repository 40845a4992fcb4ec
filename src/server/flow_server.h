// FlowServer: the Server put together. Separate from server.cc so that tests can bring their own decoder.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "server/intake.h"
#include "server/server.h"
#include "server/writer.h"

namespace weir::server {

using BatchDecoder = std::function<Result<model::AgentBatch>(std::string_view)>;

class FlowServer final : public Server, private wire::BatchSink {
 public:
  // `store` and `clock` outlive the server.
  static Result<std::unique_ptr<FlowServer>> Start(ServerOptions options, store::Store& store, const Clock& clock,
                                                   BatchDecoder decode);
  ~FlowServer() override;

  void Ingest(std::string_view encoded_batch, UnixMillis sent_at, AckCallback done) override;
  wire::BatchSink& LocalSink() override { return *this; }
  std::vector<AgentStatus> Agents() const override { return intake_.Agents(); }
  LiveHub& live() override { return live_; }
  std::vector<NameSource> NameSources() const override;
  void Stop() override;

 private:
  FlowServer(const ServerOptions& options, store::Store& store, const Clock& clock, BatchDecoder decode,
             const std::map<std::string, uint64_t>& watermarks);
  // Adds names of the node's pods to the answer.
  AckCallback WithNames(const model::AgentBatch& batch, AckCallback done) const;
  Result<wire::Ack> Send(const std::string& encoded_batch, UnixMillis sent_at) override;
  void MaintainStore();

  const std::function<void()> housekeeping_;
  store::Store& store_;
  const Clock& clock_;
  BatchDecoder decode_;
  const Namer* const namer_;  // null: none
  Intake intake_;
  LiveHub live_;
  Writer writer_;

  std::once_flag stopped_;
  std::mutex maintenance_mutex_;
  std::condition_variable maintenance_ends_;
  bool maintenance_stopping_ = false;
  std::thread maintenance_;
};

}  // namespace weir::server
