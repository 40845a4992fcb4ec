// DnsTable: from the messages of clients' sockets to requests: each question with its answer, or with the answer that
// did not come. One report per ends, owner, record type, name and response code.
//
// A question is known by its socket, both ends and its id. Sent again before the answer, with the same name and type,
// it is repeated, not another request, and its latency counts from the first time; what nobody answered within five
// seconds is unanswered (result "timeout"), and remembered for five more so that sending it again then is still seen
// as repeating. A resolver that asks the next server opens another socket there, which is another request.
//
// Bounded: 65,536 questions at a time, 20,000 different reports per interval and 500 names among them, the most asked
// ones; what is beyond has the name "(other)". Thread: the agent's loop, all calls.
#pragma once

#include <tsl/robin_map.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/identity/identities.h"
#include "agent/udp/dns_message.h"
#include "base/clock.h"
#include "bpf/udp_abi.h"
#include "model/side_report.h"

namespace weir::agent::udp {

inline constexpr Nanos kDnsTimeout = 5'000'000'000;
inline constexpr size_t kMaxDnsNames = 500;

class DnsTable {
 public:
  // `identities` outlives the table.
  explicit DnsTable(identity::Identities& identities) : identities_(identities) {}

  // In the order of the kernel's ring.
  void OnMessage(const weir_dns_message& message);
  // Appends a report per kind of request with news.
  void Emit(Nanos now_monotonic, std::vector<model::SideReport>& out);

  // Addresses that answers gave since the last call; at most model::kMaxResolvedNames, what is beyond is counted
  // (agent_resolved_names_full).
  std::vector<model::ResolvedName> TakeNames();

  // Following ends here: what waits for its answer is counted (agent_dns_not_followed) and forgotten.
  void Abandon();

  size_t pending() const { return pending_.size(); }

 private:
  struct Question {
    weir_udp_key ends{};
    uint16_t id = 0;
    uint16_t zero[3] = {};  // so that all bytes are value

    bool operator==(const Question& other) const;
  };
  struct Hash {
    size_t operator()(const Question& question) const;
  };
  struct Asker {
    uint64_t owner = 0;
    uint32_t netns = 0;
    std::string process;

    auto operator<=>(const Asker&) const = default;
  };
  struct Pending {
    Asker asker;
    std::string name;
    uint16_t type = 0;
    Nanos sent = 0;
    uint32_t repeated = 0;
    bool expired = false;  // reported as unanswered
  };
  struct Kind {
    model::Address client;
    model::Address server;
    Asker asker;
    uint16_t type = 0;
    std::string name;
    std::string result;

    auto operator<=>(const Kind&) const = default;
  };

  // Whose answer it was: the same address may have other names for others.
  struct Resolved {
    uint64_t owner = 0;
    uint32_t netns = 0;
    model::Address address;
    std::string name;

    auto operator<=>(const Resolved&) const = default;
  };
  struct DnsAddressName {
    std::string canonical;
    uint32_t ttl_s = 0;
  };

  void OnQuestion(const Question& question, const weir_dns_message& message, DnsMessage parsed);
  void OnAnswer(const Question& question, const weir_dns_message& message, const DnsMessage& parsed);
  void KeepNames(const Pending& pending, const weir_dns_message& message);
  void Expire(Nanos now);
  model::SideCounters& CountersOf(const Question& question, const Pending& pending, std::string result);
  void FoldRareNames();
  void Report(const Kind& kind, model::SideCounters counters, std::vector<model::SideReport>& out);

  identity::Identities& identities_;
  tsl::robin_map<Question, Pending, Hash> pending_;
  std::map<Kind, model::SideCounters> kinds_;
  std::map<Resolved, DnsAddressName> names_;
};

}  // namespace weir::agent::udp
