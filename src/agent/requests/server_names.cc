#include "agent/requests/server_names.h"

#include <utility>

#include "base/metrics.h"

namespace weir::agent::requests {
namespace {

// Older ones were asked for long ago, or their sockets are not tracked.
constexpr uint64_t kKeepNs = 600'000'000'000;

}  // namespace

void ServerNames::Put(uint64_t socket, uint64_t time_ns, const ClientHello& said) {
  if (sockets_.size() >= kMaxSockets && !MakeRoom(time_ns)) {
    Count(Metric::agent_server_names_full);
    return;
  }
  ToldNames& known = sockets_[socket];
  known.previous = known.newest;
  known.newest = {time_ns, Intern(said)};
}

bool ServerNames::MakeRoom(uint64_t now_ns) {
  for (auto item = sockets_.begin(); item != sockets_.end();) {
    const uint64_t newest_ns = item->second.newest.time_ns;
    const bool old = now_ns > newest_ns && now_ns - newest_ns > kKeepNs;
    item = old ? sockets_.erase(item) : std::next(item);
  }
  return sockets_.size() < kMaxSockets;
}

uint32_t ServerNames::Intern(const ClientHello& said) {
  std::string key = said.server_name;
  key.append(1, '\0').append(said.alpn);
  const auto known = numbers_.find(key);
  if (known != numbers_.end()) return known->second;
  if (names_.size() > kMaxNames) {
    Count(Metric::agent_server_names_full);
    return 0;
  }
  const auto number = static_cast<uint32_t>(names_.size());
  names_.push_back({said.server_name, said.alpn, "tls"});
  numbers_.emplace(std::move(key), number);
  return number;
}

uint32_t ServerNames::Find(uint64_t socket, uint64_t born_ns, uint64_t until_ns) {
  if (read_news_) read_news_();
  const auto known = sockets_.find(socket);
  if (known == sockets_.end()) return 0;
  for (const ToldName& entry : {known->second.newest, known->second.previous}) {
    if (entry.name != 0 && entry.time_ns >= born_ns && entry.time_ns <= until_ns) return entry.name;
  }
  return 0;
}

void ServerNames::Forget(uint64_t socket, uint64_t closed_ns) {
  const auto known = sockets_.find(socket);
  if (known == sockets_.end()) return;
  if (known->second.newest.time_ns <= closed_ns) {
    sockets_.erase(known);
  } else {
    known.value().previous = {};
  }
}

}  // namespace weir::agent::requests
