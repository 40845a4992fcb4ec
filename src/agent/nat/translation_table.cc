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
      questions_{limits.questions_per_second, limits.questions_at_once, static_cast<double>(limits.questions_at_once),
                 clock.MonotonicNanos()},
      confirmations_{limits.confirmations_per_second, limits.confirmations_at_once,
                     static_cast<double>(limits.confirmations_at_once), clock.MonotonicNanos()} {}

Translation TranslationTable::Find(const flow::ClientEnds& ends) {
  // Its first packet may be anywhere on its way; half of it tracked looks like nothing translated.
  if (!ends.answered && !ends.last) return Translation::Later();
  if (!tracking_.Active()) return OfAll({});
  if (round_ == 0) round_ = clock_.MonotonicNanos();
  if (ends.succeeded) {
    Count(Metric::agent_nat_unknown);  // what is tracked is a later connection
    return {};
  }
  const Key key{ends.server, ends.netns, ends.server_port, static_cast<uint16_t>(ends.protocol)};
  const auto known = destinations_.find(key);
  const Nanos now = clock_.MonotonicNanos();
  const Settled* settled = known == destinations_.end() ? nullptr : known->second.Find(ends.pid, round_);
  if (settled != nullptr && (!confirmations_.Allows(now) || !questions_.Allows(now))) {
    Count(Metric::agent_nat_assumed);
    return settled->client.is_unspecified() ? Translation{} : ChangedSource(ends, settled->client);
  }
  if (!questions_.Allows(now)) {
    if (ends.last) Count(Metric::agent_nat_unknown);
    return ends.last ? Translation{} : Translation::Later();
  }
  if (settled != nullptr) confirmations_.left -= 1;
  return Ask(ends, key, known == destinations_.end(), now);
}

Translation TranslationTable::Ask(const flow::ClientEnds& ends, const Key& key, bool is_new, Nanos now) {
  const Followed followed = tracking_.Follow(ends, is_new);
  questions_.left -= followed.questions;
  Count(Metric::agent_nat_lookups);
  spent_ns_ += static_cast<uint64_t>(clock_.MonotonicNanos() - now);
  Count(Metric::agent_nat_microseconds, spent_ns_ / 1'000);
  spent_ns_ %= 1'000;
  return Judge(ends, followed, now, DestinationOf(key));
}

Translation TranslationTable::Judge(const flow::ClientEnds& ends, const Followed& followed, Nanos now,
                                    Destination& to) {
  if (followed.is_another || (!followed.found && ends.answered && now < to.translated_until)) {
    Count(Metric::agent_nat_unknown);  // its entry is gone, or has made room for a later one's
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
    to.Settle({ends.pid, now + kSettled, same_client ? model::Address{} : followed.client});
  }
  return same_client ? Translation{} : ChangedSource(ends, followed.client);
}

bool TranslationTable::Budget::Allows(Nanos now) {
  left += static_cast<double>(now - refilled) / kSecond * per_second;
  left = std::min<double>(left, at_once);
  refilled = now;
  return left >= 1;
}

const TranslationTable::Settled* TranslationTable::Destination::Find(uint32_t pid, Nanos now) const {
  const auto found = std::find_if(settled.begin(), settled.end(),
                                  [&](const Settled& process) { return process.pid == pid && now < process.until; });
  return found == settled.end() ? nullptr : &*found;
}

void TranslationTable::Destination::Settle(const Settled& process) {
  auto place = std::find_if(settled.begin(), settled.end(),
                            [&process](const Settled& known) { return known.pid == process.pid; });
  if (place == settled.end()) {
    place = std::min_element(settled.begin(), settled.end(),
                             [](const Settled& a, const Settled& b) { return a.until < b.until; });
  }
  *place = process;
}

TranslationTable::Destination& TranslationTable::DestinationOf(const Key& key) {
  // Asking all of them anew is within the budget; remembering who was asked last would cost every connection.
  if (destinations_.size() >= limits_.destinations && !destinations_.contains(key)) destinations_.clear();
  return destinations_[key];
}

}  // namespace weir::agent::nat
