#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/udp/dns_table.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "agent/flow/record_address.h"
#include "agent/udp/dns_answers.h"
#include "base/metrics.h"
#include "model/counter_sum.h"

namespace weir::agent::udp {
namespace {

constexpr size_t kMaxPending = 65'536;
constexpr size_t kMaxKinds = 20'000;
constexpr std::string_view kOtherNames = "(other)";
constexpr std::string_view kTimeout = "timeout";
constexpr uint8_t kNxDomain = 3;
// Of an answer that says nothing but that it did not fit. One with an error has no more to say.
constexpr std::string_view kTruncated = "truncated";

std::string_view TextOf(const char (&comm)[WEIR_COMM_BYTES]) {
  return {comm, static_cast<size_t>(std::find(std::begin(comm), std::end(comm), '\0') - std::begin(comm))};
}

}  // namespace

bool DnsTable::Question::operator==(const Question& other) const {
  return id == other.id && std::memcmp(&ends, &other.ends, sizeof(ends)) == 0;
}

size_t DnsTable::Hash::operator()(const Question& question) const {
  static_assert(sizeof(Question) == sizeof(weir_udp_key) + 8, "hashed as bytes: no padding allowed");
  return XXH3_64bits(&question, sizeof(question));
}

void DnsTable::OnMessage(const weir_dns_message& message) {
  Count(Metric::agent_dns_messages);
  auto parsed = ParseDns({message.data, std::min<size_t>(message.length, sizeof(message.data))});
  if (!parsed.ok() || parsed->is_answer != (message.sent == 0)) {
    Count(Metric::agent_dns_malformed);
    return;
  }
  const Question question{message.ends, parsed->id};
  if (message.sent != 0) {
    OnQuestion(question, message, *std::move(parsed));
  } else {
    OnAnswer(question, message, *parsed);
  }
}

void DnsTable::OnQuestion(const Question& question, const weir_dns_message& message, DnsMessage parsed) {
  Pending asked;
  asked.asker = {identities_.OwnerOf(message.cgroup_id, message.pid, message.netns, TextOf(message.comm)),
                 message.netns, identity::PrintableName(TextOf(message.comm), WEIR_COMM_BYTES)};
  asked.name = std::move(parsed.name);
  asked.type = parsed.type;
  asked.sent = static_cast<Nanos>(message.time_ns);
  const auto known = pending_.find(question);
  if (known == pending_.end()) {
    if (pending_.size() >= kMaxPending) {
      Count(Metric::agent_dns_not_followed);
      return;
    }
    pending_.insert({question, std::move(asked)});
    return;
  }
  Pending& before = known.value();
  const bool same = before.name == asked.name && before.type == asked.type;
  if (same && !before.expired) {
    ++before.repeated;
    return;
  }
  asked.repeated = same ? 1 : 0;
  // The same id for another question: the answer to the first can no longer be told from the other's.
  if (!before.expired) ++CountersOf(question, before, "").requests_unusable;
  before = std::move(asked);
}

void DnsTable::OnAnswer(const Question& question, const weir_dns_message& message, const DnsMessage& parsed) {
  const auto known = pending_.find(question);
  const bool matches =
      known != pending_.end() && !known->second.expired &&
      (!parsed.has_question || (known->second.name == parsed.name && known->second.type == parsed.type));
  if (!matches) {
    Count(Metric::agent_dns_unmatched);
    return;
  }
  const Pending& pending = known->second;
  const bool only_cut = parsed.is_cut && parsed.response_code == 0;
  model::SideCounters& counters =
      CountersOf(question, pending, only_cut ? std::string(kTruncated) : DnsResponseName(parsed.response_code));
  const auto latency_us =
      static_cast<uint64_t>(std::max<Nanos>(static_cast<Nanos>(message.time_ns) - pending.sent, 0)) / 1'000;
  ++counters.requests;
  counters.requests_repeated += pending.repeated;
  if (parsed.response_code != 0 && parsed.response_code != kNxDomain) ++counters.requests_failed;
  ++counters.request_latency_count;
  counters.request_latency_sum_us += latency_us;
  counters.request_latency_max_us = std::max(counters.request_latency_max_us, latency_us);
  counters.request_latency_histogram.Add(latency_us);
  if (parsed.response_code == 0) KeepNames(pending, message);
  pending_.erase(known);
}

void DnsTable::KeepNames(const Pending& pending, const weir_dns_message& message) {
  const DnsAnswers answers = ParseDnsAnswers({message.data, std::min<size_t>(message.length, sizeof(message.data))});
  for (const DnsAddress& answer : answers.addresses) {
    Resolved key{pending.asker.owner, pending.asker.netns, answer.address, pending.name};
    if (names_.size() >= model::kMaxResolvedNames && !names_.contains(key)) {
      Count(Metric::agent_resolved_names_full);
      continue;
    }
    names_[std::move(key)] = {answers.canonical, answer.ttl_s};
  }
}

std::vector<model::ResolvedName> DnsTable::TakeNames() {
  std::vector<model::ResolvedName> out;
  out.reserve(names_.size());
  for (const auto& [key, value] : names_) {
    out.push_back(
        {key.address, key.name, value.canonical, value.ttl_s, key.netns, identities_.NameOf(key.owner)->pod_uid});
  }
  names_.clear();
  return out;
}

void DnsTable::Abandon() {
  for (const auto& [question, pending] : pending_) {
    if (!pending.expired) Count(Metric::agent_dns_not_followed, 1 + pending.repeated);
  }
  pending_ = {};
}

void DnsTable::Expire(Nanos now) {
  for (auto item = pending_.begin(); item != pending_.end();) {
    Pending& pending = item.value();
    const Nanos age = now - pending.sent;
    if (age >= kDnsTimeout && !pending.expired) {
      model::SideCounters& counters = CountersOf(item->first, pending, std::string(kTimeout));
      ++counters.requests;
      ++counters.requests_unanswered;
      counters.requests_repeated += pending.repeated;
      pending.expired = true;
    }
    item = age >= 2 * kDnsTimeout ? pending_.erase(item) : std::next(item);
  }
}

model::SideCounters& DnsTable::CountersOf(const Question& question, const Pending& pending, std::string result) {
  Kind kind{flow::AddressOf(question.ends.family, question.ends.local_address),
            flow::AddressOf(question.ends.family, question.ends.remote_address),
            pending.asker,
            pending.type,
            pending.name,
            std::move(result)};
  if (kinds_.size() >= kMaxKinds && !kinds_.contains(kind)) {
    Count(Metric::agent_dns_names_folded);
    kind.name = kOtherNames;
  }
  return kinds_[std::move(kind)];
}

void DnsTable::FoldRareNames() {
  std::unordered_map<std::string_view, uint64_t> asked;
  for (const auto& [kind, counters] : kinds_) asked[kind.name] += counters.requests + counters.requests_unusable;
  if (asked.size() <= kMaxDnsNames) return;
  std::vector<std::pair<std::string_view, uint64_t>> order(asked.begin(), asked.end());
  std::nth_element(order.begin(), order.begin() + kMaxDnsNames, order.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  order.resize(kMaxDnsNames);
  const std::unordered_map<std::string_view, uint64_t> kept(order.begin(), order.end());
  std::map<Kind, model::SideCounters> folded;
  for (const auto& [kind, counters] : kinds_) {
    Kind to = kind;
    if (!kept.contains(kind.name)) {
      Count(Metric::agent_dns_names_folded, counters.requests);
      to.name = kOtherNames;
    }
    model::Add(folded[std::move(to)], counters);
  }
  kinds_ = std::move(folded);
}

void DnsTable::Report(const Kind& kind, model::SideCounters counters, std::vector<model::SideReport>& out) {
  model::SideReport& report = out.emplace_back();
  report.ends.protocol = model::Protocol::kUdp;
  report.ends.side = model::Side::kClient;
  report.ends.client_address = kind.client;
  report.ends.server_address = kind.server;
  report.ends.server_port = WEIR_DNS_PORT;
  report.ends.netns = kind.asker.netns;
  const auto name = identities_.NameOf(kind.asker.owner);
  report.identity.process = kind.asker.process;
  report.identity.container = name->container;
  report.identity.unit = name->unit;
  report.identity.pod_uid = name->pod_uid;
  report.identity.container_name = name->container_name;
  report.identity.image = name->image;
  report.identity.netns_name = *identities_.NetnsNameOf(kind.asker.netns);
  report.request = {"dns", DnsTypeName(kind.type), kind.name, kind.result};
  report.counters = std::move(counters);
}

void DnsTable::Emit(Nanos now, std::vector<model::SideReport>& out) {
  Expire(now);
  FoldRareNames();
  for (auto& [kind, counters] : kinds_) Report(kind, std::move(counters), out);
  kinds_.clear();
}

}  // namespace weir::agent::udp
