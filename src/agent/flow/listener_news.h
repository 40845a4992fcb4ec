// ListenerNews: what full accept queues have cost listeners in this interval. That belongs to no connection, but a
// queue that is full holds connections: so it stands with the listener's own flow that has the most of them, and no
// flow needs to be made up for it.
//
// News of a listener that has no flow wait for kPatience intervals; what still has none then is counted
// (agent_listener_news_lost). Bounded: kMaxListeners. Thread: the agent's loop, all calls.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "agent/flow/listener_table.h"
#include "model/address.h"

namespace weir::agent::flow {

struct FlowKey;

class ListenerNews {
 public:
  static constexpr size_t kMaxListeners = 4'096;
  static constexpr uint32_t kPatience = 60;

  struct News {
    model::Address address;  // unspecified: all of its namespace
    Comm comm{};
    uint64_t owner = 0;
    uint32_t netns = 0;
    uint16_t port = 0;
    uint64_t overflows = 0;
    uint64_t queue_max = 0;
  };
  // A flow's claim to the news of its listener: the highest gets them.
  struct Claim {
    uint32_t flow = 0;
    uint32_t open = 0;
    uint64_t segments = 0;
  };

  void Put(const News& news);
  bool empty() const { return listeners_.empty(); }
  // Once per interval, for every flow of a server.
  void Offer(const FlowKey& key, const Claim& claim);
  // After that: gives what has found its flow to `give`, and keeps the rest.
  void Settle(const std::function<void(uint32_t flow, const News& news)>& give);

 private:
  struct Listener {
    News news;
    Claim best;
    bool found = false;
    bool own_program = false;  // `best` is of the program that listens
    uint32_t waited = 0;       // intervals
  };

  static bool IsOf(const News& news, const FlowKey& key);

  std::vector<Listener> listeners_;
};

}  // namespace weir::agent::flow
