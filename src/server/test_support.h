// What the server's tests share: reports and batches in one line, and a store in memory that can refuse and block.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "server/pending_batch.h"
#include "server/server.h"
#include "store/store.h"

namespace weir::server {

inline constexpr UnixMillis kNoon = 1'700'000'000'000;  // FakeClock's start, a whole second

inline model::Address Ip(std::string_view text) { return *model::Address::Parse(text); }

inline std::string AgentId(int n) {
  std::string id(32, '0');
  id[30] = static_cast<char>('0' + n / 10 % 10);
  id[31] = static_cast<char>('0' + n % 10);
  return id;
}

struct Ends {
  std::string client = "10.0.1.1";
  std::string server = "10.0.2.1";
  uint16_t port = 80;
};

inline model::SideReport Report(model::Side side, const Ends& ends, uint64_t to_server, uint64_t to_client,
                                std::string process) {
  model::SideReport report;
  report.ends.side = side;
  report.ends.client_address = Ip(ends.client);
  report.ends.server_address = Ip(ends.server);
  report.ends.server_port = ends.port;
  report.ends.netns = 4026531840;
  report.identity.process = std::move(process);
  const bool client = side == model::Side::kClient;
  report.counters.bytes_sent = client ? to_server : to_client;
  report.counters.bytes_received = client ? to_client : to_server;
  return report;
}

inline model::SideReport ClientReport(const Ends& ends, uint64_t to_server, uint64_t to_client = 0,
                                      std::string process = "curl") {
  return Report(model::Side::kClient, ends, to_server, to_client, std::move(process));
}

inline model::SideReport ServerReport(const Ends& ends, uint64_t to_server, uint64_t to_client = 0,
                                      std::string process = "nginx") {
  return Report(model::Side::kServer, ends, to_server, to_client, std::move(process));
}

// Agent `n` on node "node<n>", its interval number `tick` (one second each, the first one ends at kNoon).
inline model::AgentBatch Batch(int n, int64_t tick, std::vector<model::SideReport> reports,
                               const std::vector<std::string>& local = {}) {
  model::AgentBatch batch;
  batch.agent_id = AgentId(n);
  batch.node = "node" + std::to_string(n);
  batch.sequence = static_cast<uint64_t>(1'000 + tick);
  batch.end = kNoon + tick * 1'000;
  batch.start = batch.end - 1'000;
  batch.mode = "ebpf";
  batch.version = "1";
  for (const std::string& address : local) batch.local_addresses.push_back(Ip(address));
  batch.reports = std::move(reports);
  return batch;
}

// A sink that keeps what it was given. Read it when the hub has stopped.
struct BlockLog final : LiveSink {
  void Take(const LiveBlockRef& block) override { blocks.push_back(block); }
  void Lost(size_t items) override { lost += items; }
  std::vector<LiveBlockRef> blocks;
  size_t lost = 0;
};

// What a set of rows adds up to.
struct Totals {
  uint64_t to_server = 0;
  uint64_t to_client = 0;
  uint64_t rows = 0;
};

template <typename Rows>
Totals TotalsOf(const Rows& rows) {
  Totals totals;
  for (const store::StoredRow& row : rows) {
    totals.to_server += row.row.bytes_to_server;
    totals.to_client += row.row.bytes_to_client;
    ++totals.rows;
  }
  return totals;
}

// Keeps rows in memory. Thread-safe.
class MemoryStore : public store::Store {
 public:
  Status Insert(const std::vector<store::StoredRow>& rows) override {
    std::unique_lock lock(mutex_);
    ++attempts_;
    unblocked_.wait(lock, [this] { return !blocked_; });
    if (failing_) return Status::Exhausted("disk full");
    ++inserts_;
    rows_.insert(rows_.end(), rows.begin(), rows.end());
    for (const store::StoredRow& row : rows) {
      Note(row.client_agent, row.client_sequence);
      Note(row.server_agent, row.server_sequence);
    }
    return Status::Ok();
  }
  Result<std::map<std::string, uint64_t>> Watermarks() override {
    const std::lock_guard lock(mutex_);
    std::map<std::string, uint64_t> watermarks;
    for (const auto& [batch, insert] : insert_of_) {
      watermarks[batch.first] = std::max(watermarks[batch.first], batch.second);
    }
    return watermarks;
  }
  Result<store::FlowResult> Query(const store::FlowQuery&) override { return Status::Unsupported("not here"); }
  Result<std::map<uint32_t, store::RttDistribution>> RttOfGroups(const store::FlowQuery&,
                                                                 const store::FlowGroups&) override {
    return Status::Unsupported("not here");
  }
  Status Maintain(UnixMillis) override {
    const std::lock_guard lock(mutex_);
    ++maintained_;
    return Status::Ok();
  }
  Result<store::StoreStatus> GetStatus() override { return store::StoreStatus{}; }

  void Fail(bool failing) {
    const std::lock_guard lock(mutex_);
    failing_ = failing;
  }
  void Block(bool blocked) {
    const std::lock_guard lock(mutex_);
    blocked_ = blocked;
    unblocked_.notify_all();
  }
  std::vector<store::StoredRow> rows() const {
    const std::lock_guard lock(mutex_);
    return rows_;
  }
  int inserts() const {
    const std::lock_guard lock(mutex_);
    return inserts_;
  }
  int attempts() const {
    const std::lock_guard lock(mutex_);
    return attempts_;
  }
  // True when some batch's own rows were spread over several inserts. Rows of quiet servers come later by design.
  bool split_a_batch() const {
    const std::lock_guard lock(mutex_);
    return split_;
  }

 private:
  void Note(const std::string& agent, uint64_t sequence) {
    if (agent.empty()) return;
    const auto [at, is_new] = insert_of_.try_emplace(std::pair(agent, sequence), inserts_);
    if (!is_new && at->second != inserts_) split_ = true;
  }

  mutable std::mutex mutex_;
  std::condition_variable unblocked_;
  bool failing_ = false;
  bool blocked_ = false;
  bool split_ = false;
  int inserts_ = 0;
  int attempts_ = 0;
  int maintained_ = 0;
  std::vector<store::StoredRow> rows_;
  std::map<std::pair<std::string, uint64_t>, int> insert_of_;
};

}  // namespace weir::server
