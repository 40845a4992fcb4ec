// ServerNames: what clients asked for in their ClientHello, by their socket, until the flow table has asked for it.
// Bounded: kMaxSockets and kMaxNames; what does not fit has no name and is counted (agent_server_names_full). Thread:
// the agent's loop, all calls.
#pragma once

#include <tsl/robin_map.h>

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/flow/connection_names.h"
#include "agent/requests/client_hello.h"

namespace weir::agent::requests {

// A name and when its client said it; 0 = none.
struct ToldName {
  uint64_t time_ns = 0;
  uint32_t name = 0;
};

// Names come through a queue of their own: the next socket's may be here before the last one's end.
struct ToldNames {
  ToldName newest;
  ToldName previous;
};

class ServerNames final : public flow::ConnectionNames {
 public:
  static constexpr size_t kMaxSockets = 65'536;
  static constexpr size_t kMaxNames = 65'536;

  // `read_news` brings what the kernel has told by now by way of Put(); it may be empty.
  explicit ServerNames(std::function<void()> read_news) : read_news_(std::move(read_news)) {}

  // The client's first message on `socket` at `time_ns`; both texts are clean.
  void Put(uint64_t socket, uint64_t time_ns, const ClientHello& said);

  // Forgets who asked; what was asked for keeps its number.
  void ForgetSockets() { sockets_ = {}; }

  uint32_t Find(uint64_t socket, uint64_t born_ns, uint64_t until_ns) override;
  void Forget(uint64_t socket, uint64_t closed_ns) override;
  const flow::ConnectionName& Name(uint32_t number) const override { return names_[number]; }

  size_t size() const { return sockets_.size(); }

 private:
  uint32_t Intern(const ClientHello& said);
  bool MakeRoom(uint64_t now_ns);

  const std::function<void()> read_news_;
  tsl::robin_map<uint64_t, ToldNames> sockets_;
  std::vector<flow::ConnectionName> names_{1};         // 0 is nobody's
  std::unordered_map<std::string, uint32_t> numbers_;  // by name and protocols, 0 between them
};

}  // namespace weir::agent::requests
