#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/node/drop_reader.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <cstring>
#include <utility>

#include "agent/node/source_catalogue.h"
#include "base/metrics.h"
#include "model/node_subject.h"

namespace weir::agent::node {
namespace {

using model::NodeSignal;

constexpr Nanos kIdle = 600'000'000'000;  // of a kind that may be forgotten when places get scarce
constexpr uint16_t kIpv4 = 0x0800;
constexpr uint16_t kArp = 0x0806;
constexpr uint16_t kIpv6 = 0x86dd;

NodeSignal SignalOf(const std::string& reason) {
  const auto& names = NamesOf("kfree_skb");
  const auto found = names.find(reason);
  return found == names.end() ? NodeSignal::drop_other : found->second;
}

}  // namespace

std::string PacketKind(uint16_t protocol, uint8_t transport) {
  if (protocol == kArp) return "arp";
  if (protocol != kIpv4 && protocol != kIpv6) return fmt::format("ethertype 0x{:04x}", protocol);
  const std::string_view version = protocol == kIpv6 ? "6" : "";
  switch (transport) {
    case IPPROTO_TCP: return fmt::format("tcp{}", version);
    case IPPROTO_UDP: return fmt::format("udp{}", version);
    case IPPROTO_ICMP: return "icmp";
    case IPPROTO_ICMPV6: return "icmp6";
    default: return fmt::format("ip{} protocol {}", version, transport);
  }
}

size_t DropReader::KeyHash::operator()(const weir_drop_key& key) const { return XXH3_64bits(&key, sizeof(key)); }

bool DropReader::KeyEqual::operator()(const weir_drop_key& a, const weir_drop_key& b) const {
  return std::memcmp(&a, &b, sizeof(a)) == 0;
}

void DropReader::Open() {
  Result<std::unique_ptr<DropCounters>> counters = OpenDropCounters();
  if (!counters.ok()) return probes_.Judge(kProbe, counters.status());
  Result<KernelSymbols> symbols = KernelSymbols::Open();
  if (!symbols.ok()) return probes_.Failed(kProbe, symbols.status());
  Use(*std::move(counters), *std::move(symbols));
}

void DropReader::Use(std::unique_ptr<DropCounters> counters, KernelSymbols symbols) {
  counters_ = std::move(counters);
  symbols_ = std::move(symbols);
}

void DropReader::Read(Nanos now, const SpaceNames& space_name) {
  if (counters_ == nullptr) return;
  Seen seen;
  Status status =
      counters_->Read([&seen](const weir_drop_key& key, uint64_t packets) { seen.emplace_back(key, packets); });
  if (status.ok()) status = LearnPlaces(seen);
  probes_.Judge(kProbe, status);
  if (!status.ok()) return;
  for (const auto& [key, packets] : seen) Add(now, key, packets, space_name);
  if (kinds_.size() > counters_->max_kinds() / 2) ForgetIdle(now, space_name);
  const uint64_t lost = counters_->Lost();
  Count(Metric::agent_drops_not_counted, lost - std::exchange(lost_, lost));
}

Status DropReader::LearnPlaces(const Seen& seen) {
  std::vector<uint64_t> places;
  for (const auto& [key, packets] : seen) {
    if (packets > 0 && !kinds_.contains(key)) places.push_back(key.location);
  }
  return symbols_->Knows(places) ? Status::Ok() : symbols_->Learn(places);
}

void DropReader::Add(Nanos now, const weir_drop_key& key, uint64_t packets, const SpaceNames& space_name) {
  if (packets == 0) return;  // being made
  auto at = kinds_.find(key);
  if (at == kinds_.end()) at = kinds_.emplace(key, MakeKind(key)).first;
  Kind& kind = at.value();
  if (kind.packets != packets) kind.moved = now;
  kind.packets = packets;
  const std::optional<std::string> place = key.netns == 0 ? "unknown" : space_name(key.netns);
  if (!place) return;
  const std::string& space = *place;
  const std::string name = model::NodeSubjectText({space, "", kind.what});
  // The kernel's counters begin with the first drop, so the first value counts whole.
  table_.Add({space.empty() ? 0 : key.netns, kind.number, name, !std::exchange(kind.told, true)}, kind.signal, packets);
}

DropReader::Kind DropReader::MakeKind(const weir_drop_key& key) {
  Kind kind;
  const std::string reason = counters_->ReasonName(key.reason);
  kind.number = next_number_++;
  kind.signal = SignalOf(reason);
  kind.what =
      fmt::format("{} in {} ({})", reason, symbols_->NameOf(key.location), PacketKind(key.protocol, key.transport));
  return kind;
}

void DropReader::ForgetIdle(Nanos now, const SpaceNames& space_name) {
  std::vector<weir_drop_key> idle;
  for (const auto& [key, kind] : kinds_) {
    if (now - kind.moved >= kIdle) idle.push_back(key);
  }
  for (const weir_drop_key& key : idle) {
    if (const auto last = counters_->Forget(key)) Add(now, key, *last, space_name);
    kinds_.erase(key);
  }
}

}  // namespace weir::agent::node
