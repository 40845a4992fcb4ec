#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/nat/translation_table.h"

#include <algorithm>
#include <type_traits>

#include "base/metrics.h"

namespace weir::agent::nat {
namespace {

using flow::Translation;

constexpr Nanos kSecond = 1'000'000'000;
constexpr Nanos kSettled = 5 * kSecond;
constexpr Nanos kTranslated = 60 * kSecond;

Translation OfAll(Translation found) {
  found.of_all = true;
  return found;
}

Translation ChangedSource(const flow::ClientEnds& ends, const model::Address& client) {
  return {Translation::State::kTranslated, client, ends.server, ends.server_port};
}

}  // namespace

size_t TranslationTable::Hash::operator()(const Key& key) const {
  static_assert(std::has_unique_object_representations_v<Key>, "hashed as bytes");
  return XXH3_64bits(&key, sizeof(key));
}

TranslationTable::TranslationTable(ConnectionTracking& tracking, const Clock& clock, TranslationLimits limits)
    : tracking_(tracking),
      clock_(clock),
      limits_(limits),
      questions_left_(limits.questions_at_once),
      refilled_(clock.MonotonicNanos()) {}

Translation TranslationTable::Find(const flow::ClientEnds& ends) {
  // Its first packet may be anywhere on its way; half of it tracked looks like nothing translated.
  if (!ends.answered && !ends.last) return Translation::Later();
  if (!tracking_.Active()) return OfAll({});
  if (round_ == 0) round_ = clock_.MonotonicNanos();
  const Key key{ends.server, ends.netns, ends.server_port, static_cast<uint16_t>(ends.protocol)};
  const auto known = destinations_.find(key);
  if (known != destinations_.end() && round_ < known->second.settled_until) {
    const model::Address& client = known->second.client;
    return OfAll(client.is_unspecified() ? Translation{} : ChangedSource(ends, client));
  }
  const Nanos now = clock_.MonotonicNanos();
  if (!MayAsk(now)) {
    if (ends.last) Count(Metric::agent_nat_unknown);
    return ends.last ? Translation{} : Translation::Later();
  }
  const Followed followed = tracking_.Follow(ends, known == destinations_.end());
  questions_left_ -= followed.questions;
  Count(Metric::agent_nat_lookups);
  spent_ns_ += static_cast<uint64_t>(clock_.MonotonicNanos() - now);
  Count(Metric::agent_nat_microseconds, spent_ns_ / 1'000);
  spent_ns_ %= 1'000;
  return Judge(ends, followed, now, DestinationOf(key));
}

Translation TranslationTable::Judge(const flow::ClientEnds& ends, const Followed& followed, Nanos now,
                                    Destination& to) {
  if (!followed.found && ends.answered && now < to.translated_until) {
    Count(Metric::agent_nat_unknown);  // its entry is gone
    return {};
  }
  if (followed.server != ends.server || followed.server_port != ends.server_port) {
    to = {};
    to.translated_until = now + kTranslated;
    return {Translation::State::kTranslated, followed.client, followed.server, followed.server_port};
  }
  const bool same_client = followed.client == ends.client;
  // An attempt that nobody answered may have been dropped before it came to whoever translates.
  if (ends.answered && now >= to.translated_until) {
    to.settled_until = now + kSettled;
    to.client = same_client ? model::Address{} : followed.client;
  }
  return same_client ? Translation{} : ChangedSource(ends, followed.client);
}

bool TranslationTable::MayAsk(Nanos now) {
  questions_left_ += static_cast<double>(now - refilled_) / kSecond * limits_.questions_per_second;
  questions_left_ = std::min<double>(questions_left_, limits_.questions_at_once);
  refilled_ = now;
  return questions_left_ >= 1;
}

TranslationTable::Destination& TranslationTable::DestinationOf(const Key& key) {
  // Asking all of them anew is within the budget; remembering who was asked last would cost every connection.
  if (destinations_.size() >= limits_.destinations && !destinations_.contains(key)) destinations_.clear();
  return destinations_[key];
}

}  // namespace weir::agent::nat
