#include "agent/flow/listener_news.h"

#include <algorithm>
#include <tuple>

#include "agent/flow/flow_table.h"
#include "base/metrics.h"

namespace weir::agent::flow {
namespace {

bool SameListener(const ListenerNews::News& a, const ListenerNews::News& b) {
  return a.port == b.port && a.netns == b.netns && a.owner == b.owner && a.address == b.address && a.comm == b.comm;
}

}  // namespace

void ListenerNews::Put(const News& news) {
  const auto known = std::find_if(listeners_.begin(), listeners_.end(),
                                  [&news](const Listener& other) { return SameListener(other.news, news); });
  if (known != listeners_.end()) {
    known->news.overflows += news.overflows;
    known->news.queue_max = std::max(known->news.queue_max, news.queue_max);
    return;
  }
  if (listeners_.size() >= kMaxListeners) {
    Count(Metric::agent_listener_news_lost, news.overflows);
    return;
  }
  listeners_.push_back({news, {}, false, false, 0});
}

bool ListenerNews::IsOf(const News& news, const FlowKey& key) {
  return news.port == key.server_port && news.netns == key.netns &&
         (news.address.is_unspecified() || news.address == key.server);
}

void ListenerNews::Offer(const FlowKey& key, const Claim& claim) {
  for (Listener& listener : listeners_) {
    if (!IsOf(listener.news, key)) continue;
    const bool own = key.comm == listener.news.comm && key.owner == listener.news.owner;
    const auto rank = [](bool of_program, const Claim& of) { return std::tuple(of_program, of.open, of.segments); };
    if (listener.found && rank(own, claim) <= rank(listener.own_program, listener.best)) continue;
    listener.best = claim;
    listener.own_program = own;
    listener.found = true;
  }
}

void ListenerNews::Settle(const std::function<void(uint32_t flow, const News& news)>& give) {
  std::erase_if(listeners_, [&give](Listener& listener) {
    if (listener.found) {
      give(listener.best.flow, listener.news);
      return true;
    }
    listener.news.queue_max = 0;  // a level of now
    if (listener.news.overflows != 0 && ++listener.waited < kPatience) return false;
    Count(Metric::agent_listener_news_lost, listener.news.overflows);
    return true;
  });
}

}  // namespace weir::agent::flow
