// GET /accounts: what the interfaces carried, laid over flows.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "api/accounts.h"
#include "api/routes.h"
#include "api/time_text.h"

namespace weir::api {
namespace {

constexpr size_t kMaxNodes = 100;  // of an answer; each is three questions to the store

// What cannot be answered whole.
struct Shortage {
  bool complete = true;
  uint64_t elsewhere_bytes = 0;  // payload in namespaces that were not read
};

Status AddNode(Service& service, store::NodeStore& nodes, const std::string& node, std::vector<store::NodeTotal> marks,
               Json& accounts, Shortage& shortage) {
  AccountFacts facts{.node = node, .range = ReadingsOf(marks), .marks = std::move(marks)};
  if (facts.range.from < facts.range.to) {
    // Counters carry the end of their period. A minute is taken or left whole, by its first reading.
    store::NodeTotalsQuery query{
        .range = {facts.range.from + 1, facts.range.to + 1}, .node = node, .signals = AccountSignals()};
    WEIR_ASSIGN_OR_RETURN(store::NodeTotals totals, Counted(nodes.Totals(query)));
    facts.from_minutes = totals.from_minutes;
    facts.totals = std::move(totals.totals);
    WEIR_ASSIGN_OR_RETURN(const store::FlowResult flows,
                          Counted(service.store.Query(AccountFlowsQuery(facts.range, node))));
    facts.flows = FlowsOf(flows);
    facts.resolution = flows.resolution;
    shortage.complete = shortage.complete && totals.complete && flows.groups_left_out == 0;
  }
  shortage.elsewhere_bytes += AppendAccounts(facts, accounts);
  return Status::Ok();
}

}  // namespace

net::HttpResponse AnswerAccounts(Service& service, Arguments& arguments) {
  const store::TimeRange range = arguments.Range();
  const std::string node = arguments.Name("node");
  if (arguments.refusal()) return net::ErrorResponse(*arguments.refusal());
  store::NodeStore* const nodes = service.store.node();
  if (nodes == nullptr) return StatusResponse(NoNodeStore());
  const auto marks = Counted(nodes->Totals({.range = range, .node = node, .signals = AccountMarks()}));
  if (!marks.ok()) return StatusResponse(marks.status());
  std::map<std::string, std::vector<store::NodeTotal>> by_node;
  for (const store::NodeTotal& mark : marks->totals) by_node[mark.node].push_back(mark);
  if (!node.empty() && by_node.empty()) {
    return StatusResponse(Status::NotFound(fmt::format("no namespace of node '{}' was read in this range", node))
                              .WithRemedy("GET /api/v1/nodes lists the nodes that reported"));
  }
  Shortage shortage{.complete = marks->complete && by_node.size() <= kMaxNodes};
  Json accounts = Json::array();
  size_t answered = 0;
  for (auto& [name, of_node] : by_node) {
    if (++answered > kMaxNodes) break;
    const Status status = AddNode(service, *nodes, name, std::move(of_node), accounts, shortage);
    if (!status.ok()) return StatusResponse(status);
  }
  const Json json{{"range", {{"since", FormatTime(range.from)}, {"until", FormatTime(range.to)}}},
                  {"accounts", std::move(accounts)},
                  {"elsewhere_bytes", shortage.elsewhere_bytes},
                  {"complete", shortage.complete}};
  return JsonResponse(Dump(json) + "\n");
}

}  // namespace weir::api
