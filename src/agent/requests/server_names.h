// ServerNames: what clients asked for in their ClientHello, by their socket, until the flow table has asked for it.
// Names come through a queue of their own, and the kernel gives the memory of a closed socket to the next one at once:
// the names of many that followed each other in one place may be here before the first one's end is.
//
// Bounded: kMaxTold, kMaxPerSocket and kMaxNames; what does not fit has no name and is counted
// (agent_server_names_full). Thread: the agent's loop, all calls.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/flow/connection_names.h"
#include "agent/requests/client_hello.h"

namespace weir::agent::requests {

class ServerNames final : public flow::ConnectionNames {
 public:
  static constexpr size_t kMaxTold = 65'536;
  static constexpr size_t kMaxPerSocket = 256;  // the newest; more are of sockets nobody asks about
  static constexpr size_t kMaxNames = 65'536;

  // `read_news` brings what the kernel has told by now by way of Put(); it may be empty.
  explicit ServerNames(std::function<void()> read_news) : read_news_(std::move(read_news)) {}

  // The client's first message on `socket` at `time_ns`; both texts are clean.
  void Put(uint64_t socket, uint64_t time_ns, const ClientHello& said);

  // Forgets who asked; what was asked for keeps its number.
  void ForgetSockets() { told_ = {}; }

  uint32_t Find(uint64_t socket, uint64_t born_ns, uint64_t until_ns) override;
  void Forget(uint64_t socket, uint64_t closed_ns) override;
  const flow::ConnectionName& Name(uint32_t number) const override { return names_[number]; }

  size_t size() const { return told_.size(); }

 private:
  uint32_t Intern(const ClientHello& said);
  bool MakeRoom(uint64_t now_ns);

  const std::function<void()> read_news_;
  std::map<std::pair<uint64_t, uint64_t>, uint32_t> told_;  // the name, by socket and when its client said it
  std::vector<flow::ConnectionName> names_{1};              // 0 is nobody's
  std::unordered_map<std::string, uint32_t> numbers_;       // by name and protocols, 0 between them
};

}  // namespace weir::agent::requests
