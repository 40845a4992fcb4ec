#include "agent/requests/server_names.h"

#include <cstddef>
#include <iterator>
#include <utility>

#include "base/metrics.h"

namespace weir::agent::requests {
namespace {

// Older ones were asked for long ago, or their sockets are not tracked.
constexpr uint64_t kKeepNs = 600'000'000'000;

}  // namespace

void ServerNames::Put(uint64_t socket, uint64_t time_ns, const ClientHello& said) {
  if (told_.size() >= kMaxTold && !MakeRoom(time_ns)) {
    Count(Metric::agent_server_names_full);
    return;
  }
  told_[{socket, time_ns}] = Intern(said);
  const auto first = told_.lower_bound({socket, 0});
  const auto last = told_.upper_bound({socket, UINT64_MAX});
  if (std::distance(first, last) > static_cast<std::ptrdiff_t>(kMaxPerSocket)) told_.erase(first);
}

bool ServerNames::MakeRoom(uint64_t now_ns) {
  std::erase_if(told_, [now_ns](const auto& entry) {
    const uint64_t time_ns = entry.first.second;
    return now_ns > time_ns && now_ns - time_ns > kKeepNs;
  });
  return told_.size() < kMaxTold;
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
  const auto after = told_.upper_bound({socket, until_ns});
  if (after == told_.begin()) return 0;
  const auto& [said, name] = *std::prev(after);
  return said.first == socket && said.second >= born_ns ? name : 0;
}

void ServerNames::Forget(uint64_t socket, uint64_t closed_ns) {
  told_.erase(told_.lower_bound({socket, 0}), told_.upper_bound({socket, closed_ns}));
}

}  // namespace weir::agent::requests
