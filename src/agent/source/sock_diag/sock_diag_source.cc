#include "agent/source/sock_diag/sock_diag_source.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agent/kernel/net_namespaces.h"
#include "agent/source/pipeline.h"
#include "agent/source/sock_diag/diag_socket.h"
#include "agent/source/sock_diag/process_sockets.h"
#include "base/log.h"
#include "base/metrics.h"

namespace weir::agent {
namespace {

using source::DiagNamespace;
using source::DiagSocket;

constexpr Nanos kSecond = 1'000'000'000;
// A dump walks the whole hash of established sockets, 1.4 to 5 ms per namespace even when it is empty.
constexpr Nanos kDumpPeriod = 5 * kSecond;
constexpr Nanos kRestrainedDumpPeriod = 25 * kSecond;
constexpr size_t kMaxNamespaces = 1'024;  // two descriptors each

class SockDiagSource final : public Source {
 public:
  SockDiagSource(uint32_t max_flows, const Clock& clock, flow::AddressTranslations* translations);

  std::string_view mode() const override { return "sock_diag"; }
  std::chrono::milliseconds poll_period() const override { return std::chrono::milliseconds(200); }
  std::vector<model::ProbeReport> Probes() const override;
  Status Start() override;
  void Poll() override {
    ReadDestroyed();
    pipeline_.RoundEnds();
  }
  Status Collect(Nanos now_monotonic, Collection& out) override;
  GivenUpMask Dispensable() const override { return MaskOf(GivenUp::kSnapshots) | MaskOf(GivenUp::kNewFlows); }
  void Restrain(const Restraint& restraint) override {
    restraint_ = restraint;
    pipeline_.HoldFlows(restraint.Has(GivenUp::kNewFlows));
  }

 private:
  Status RefreshNamespaces();
  Status DumpAll(Nanos now);
  void Apply(Nanos now, std::vector<DiagSocket>& sockets);
  void ReadDestroyed();
  void NameHolder(DiagSocket& socket) const;

  const Clock& clock_;
  source::Pipeline pipeline_;
  source::ProcessSockets holders_;
  std::unordered_map<uint32_t, std::unique_ptr<DiagNamespace>> namespaces_;  // by inode
  Status namespaces_status_;
  bool first_dump_done_ = false;  // what it showed is older than the agent
  Nanos next_dump_ = 0;
  Restraint restraint_;
};

SockDiagSource::SockDiagSource(uint32_t max_flows, const Clock& clock, flow::AddressTranslations* translations)
    : clock_(clock),
      pipeline_(flow::SocketTable::Finals::kUnmarked, max_flows, source::SystemSurroundings(clock), nullptr,
                translations) {}

std::vector<model::ProbeReport> SockDiagSource::Probes() const {
  std::vector<model::ProbeReport> probes;
  const std::string& why = restraint_.Why(GivenUp::kSnapshots);
  probes.push_back(why.empty() ? model::ProbeReport{"sock_diag", "on", "", ""}
                               : model::ProbeReport{"sock_diag", "fallback", why,
                                                    "open connections are read every 25 s; docs/budget.md"});
  const bool heard = std::any_of(namespaces_.begin(), namespaces_.end(),
                                 [](const auto& item) { return item.second->hears_destroyed(); });
  probes.push_back(heard ? model::ProbeReport{"closed_sockets", "on", "", ""}
                         : model::ProbeReport{"closed_sockets", "failed",
                                              "this kernel tells nothing of destroyed sockets",
                                              "connections shorter than 5 s stay invisible; grant CAP_NET_ADMIN"});
  probes.push_back(namespaces_status_.ok()
                       ? model::ProbeReport{"network_namespaces", "on", "", ""}
                       : model::ProbeReport{"network_namespaces", "failed", namespaces_status_.message(),
                                            "grant CAP_SYS_ADMIN and CAP_SYS_PTRACE to see other namespaces"});
  probes.push_back(pipeline_.IdentityProbe());
  return probes;
}

Status SockDiagSource::Start() {
  // Listen for destroyed sockets first, then learn what is there.
  WEIR_RETURN_IF_ERROR(RefreshNamespaces());
  return DumpAll(clock_.MonotonicNanos());
}

Status SockDiagSource::RefreshNamespaces() {
  namespaces_status_ = Status::Ok();
  std::unordered_set<uint32_t> present;
  for (const kernel::NetNamespace& netns : kernel::ListNetNamespaces(kMaxNamespaces)) {
    present.insert(netns.inode);
    if (namespaces_.contains(netns.inode)) continue;
    auto opened = DiagNamespace::Open(netns.fd.get(), netns.inode);
    if (opened.ok()) {
      namespaces_.emplace(netns.inode, *std::move(opened));
    } else {
      namespaces_status_ = opened.status();
    }
  }
  // Ours are the last references to a namespace without processes.
  std::erase_if(namespaces_, [&present](const auto& item) { return !present.contains(item.first); });
  if (!namespaces_.empty()) return Status::Ok();
  if (!namespaces_status_.ok()) return namespaces_status_;
  return Status::Unsupported("no network namespace found; mount the host's /proc");
}

Status SockDiagSource::Collect(Nanos now, Collection& out) {
  ReadDestroyed();
  Status status;
  if (now >= next_dump_) {
    if (status = RefreshNamespaces(); status.ok()) status = DumpAll(now);
  }
  pipeline_.Emit(now, out);
  return status;
}

Status SockDiagSource::DumpAll(Nanos now) {
  next_dump_ = now + (restraint_.Has(GivenUp::kSnapshots) ? kRestrainedDumpPeriod : kDumpPeriod);
  const Nanos begin = clock_.MonotonicNanos();
  std::vector<DiagSocket> sockets;
  Status status;
  for (const auto& [inode, netns] : namespaces_) {
    Status one = netns->Dump([&sockets](const DiagSocket& socket) { sockets.push_back(socket); });
    if (!one.ok()) status = one;
  }
  pipeline_.sockets().SnapshotBegins(begin);
  Apply(now, sockets);
  ReadDestroyed();
  using Result = flow::SocketTable::Snapshot;
  pipeline_.sockets().SnapshotEnds(clock_.MonotonicNanos(), status.ok() ? Result::kComplete : Result::kFailed);
  if (status.ok()) first_dump_done_ = true;
  Count(Metric::agent_snapshot_records, sockets.size());
  Count(Metric::agent_snapshot_microseconds, static_cast<uint64_t>(clock_.MonotonicNanos() - begin) / 1'000);
  return std::move(status).Annotate("dump of live sockets");
}

void SockDiagSource::Apply(Nanos now, std::vector<DiagSocket>& sockets) {
  const bool strangers = std::any_of(sockets.begin(), sockets.end(), [this](const DiagSocket& socket) {
    return socket.inode != 0 && holders_.Find(socket.inode) == nullptr;
  });
  if (strangers) holders_.Refresh(now);
  for (DiagSocket& socket : sockets) {
    NameHolder(socket);
    if (!first_dump_done_) socket.record.flags |= WEIR_SOCKET_EXISTING;
  }
  for (const uint8_t kind : {WEIR_RECORD_LISTEN, WEIR_RECORD_LIVE}) {
    for (const DiagSocket& socket : sockets) {
      if (socket.record.kind == kind) pipeline_.sockets().OnRecord(socket.record);
    }
  }
}

void SockDiagSource::ReadDestroyed() {
  uint64_t count = 0;
  for (const auto& [inode, netns] : namespaces_) {
    netns->Destroyed([this, &count](const DiagSocket& socket) {
      ++count;
      pipeline_.sockets().OnRecord(socket.record);
    });
  }
  Count(Metric::agent_final_records, count);
}

void SockDiagSource::NameHolder(DiagSocket& socket) const {
  const source::SocketHolder* holder = holders_.Find(socket.inode);
  if (socket.inode == 0 || holder == nullptr) return;
  socket.record.pid = holder->pid;
  std::copy(holder->comm.begin(), holder->comm.end(), socket.record.comm);
}

}  // namespace

std::unique_ptr<Source> MakeSockDiagSource(uint32_t max_flows, const Clock& clock,
                                           flow::AddressTranslations* translations) {
  return std::make_unique<SockDiagSource>(max_flows, clock, translations);
}

}  // namespace weir::agent
