// HelloAssembly: ClientHellos that come in pieces (WEIR_STEP_HELLO), put together by their socket.
//
// Bounded: kMaxHellos of at most WEIR_HELLO_BYTES, kMaxBytes together; what does not fit is forgotten and counted
// (agent_request_table_full). Thread: the agent's loop, all calls.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "agent/requests/client_hello.h"
#include "bpf/requests_abi.h"

namespace weir::agent::requests {

class HelloAssembly {
 public:
  static constexpr size_t kMaxHellos = 4'096;
  static constexpr size_t kMaxBytes = 8U << 20;
  static constexpr uint64_t kPatienceNs = 10'000'000'000;  // between its first piece and the last

  struct Hello {
    uint64_t socket = 0;
    uint64_t time_ns = 0;  // of its first piece
    ClientHello said;
  };

  // The message as far as it is here; once it is whole (ClientHello::is_whole) it is forgotten. nullopt: not readable
  // yet.
  std::optional<Hello> Put(const weir_step_hello& piece);
  void Forget(uint64_t socket);
  void Expire(uint64_t now_ns);
  void Clear();

  size_t size() const { return pending_.size(); }

 private:
  struct Pending {
    uint64_t time_ns = 0;
    std::string text;
  };
  using Pieces = std::unordered_map<uint64_t, Pending>;

  static std::optional<Hello> Read(uint64_t socket, uint64_t time_ns, const std::string& text);
  void Drop(Pieces::iterator item);

  Pieces pending_;
  size_t bytes_ = 0;
};

}  // namespace weir::agent::requests
