// The server wing: batches in, one truth per pair of ends out.
//
//   ingest (decode, validate, de-duplicate) -> match (join both ends) -> writer (insert, then ack) -> live hub
//
// Threads: HTTP workers call Ingest(); `weir-writer` owns the matcher and the inserts; `weir-live` calls the
// sinks of the live hub; `weir-maintain` rolls up and enforces retention. Stop() flushes what was accepted.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "model/side_report.h"
#include "server/live_hub.h"
#include "store/store.h"
#include "wire/batch_sink.h"

namespace weir::server {

class Namer;  // naming.h

// Who follows everything that is stored, and how much may wait for it. It outlives the server.
struct Follower {
  LiveSink* sink = nullptr;
  LiveSinkOptions options{};
};

struct ServerOptions {
  std::chrono::milliseconds flush_interval{200};  // longest wait of a row before it is inserted
  std::chrono::milliseconds match_hold{700};      // longest wait for another node's report of the same flow
  size_t max_pending_reports = 1'000'000;         // beyond: kExhausted, the agent retries
  std::chrono::seconds live_window{180};          // age of rows kept in memory
  size_t live_max_rows = 200'000;
  Namer* namer = nullptr;  // outlives the server; null = ends have the names that agents give
  std::vector<Follower> followers{};
  std::function<void()> housekeeping = {};  // called every second or so on `weir-maintain`; may be empty
};

struct AgentStatus {
  std::string agent_id;
  std::string node;
  std::string mode;
  std::string version;
  UnixMillis last_seen = 0;     // by the server's clock
  int64_t clock_offset_ms = 0;  // agent's clock minus server's
  uint64_t sequence = 0;        // highest stored
  uint64_t batches = 0;
  uint64_t reports = 0;
  std::string rival;          // what was said to another that came under this one's name or identity
  UnixMillis rival_seen = 0;  // 0 = none came
  std::vector<model::ProbeReport> probes;
  std::vector<model::AgentCounter> counters;
};

// A file that names of ends outside come from.
struct NameSource {
  std::string kind;      // "aws", "google", "azure", "huggingface": address ranges; "geoip", "prices"
  std::string path;      // of the file, or where it was fetched from
  UnixMillis dated = 0;  // as it says itself; 0 = it does not
  size_t entries = 0;
};

class Server {
 public:
  using AckCallback = std::function<void(Result<wire::Ack>)>;

  // `store` and `clock` outlive the server.
  static Result<std::unique_ptr<Server>> Start(ServerOptions options, store::Store& store, const Clock& clock);
  virtual ~Server() = default;

  // Decodes and queues; `done` is called once, from any thread, when the batch is durable or refused.
  // Codes: kInvalid (malformed), kConflict (another agent uses this node's name), kExhausted (queue full),
  // kUnavailable (the store refuses writes now).
  virtual void Ingest(std::string_view encoded_batch, UnixMillis sent_at, AckCallback done) = 0;
  // The same as a blocking sink, for an agent in this process.
  virtual wire::BatchSink& LocalSink() = 0;

  virtual std::vector<AgentStatus> Agents() const = 0;
  // What is stored from now on, and the rows of the last minutes.
  virtual LiveHub& live() = 0;
  virtual std::vector<NameSource> NameSources() const { return {}; }
  virtual void Stop() = 0;
};

}  // namespace weir::server
