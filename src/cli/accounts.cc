// `weir nodes --accounts`: what the interfaces of each network namespace carried.
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/render.h"
#include "cli/units.h"

namespace weir::cli {
namespace {

constexpr double kNoteworthyPercent = 1;

Json PartOf(const Json& account, const char* direction) { return account.value(direction, Json::object()); }

// Both sides of the account (docs/accounts.md): what was counted, and what flows have beyond it.
double AllBytes(const Json& numbers) {
  return NumberAt(numbers, "interface_bytes") + NumberAt(numbers, "loopback_bytes") + NumberAt(numbers, "excess_bytes");
}

bool IsSilent(const Json& account) {
  return AllBytes(PartOf(account, "in")) == 0 && AllBytes(PartOf(account, "out")) == 0;
}

// Of all that is accounted for; "-" where nothing is.
std::string Share(const Json& numbers, double* percent) {
  const double all = AllBytes(numbers);
  *percent = all == 0 ? 0 : 100 * NumberAt(numbers, "unattributed_bytes") / all;
  return all == 0 ? "-" : FormatPercent(*percent);
}

// "icmp 12, other 3": packets that may be behind what is not attributed.
std::string OtherPackets(const Json& numbers) {
  std::string text;
  for (const char* protocol : {"udp", "icmp", "forwarded", "other"}) {
    const double packets = NumberAt(numbers, fmt::format("{}_packets", protocol));
    if (packets == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", protocol, FormatCount(packets));
  }
  return text.empty() ? "none" : text;
}

void AddLine(const Json& account, const char* direction, Table& table) {
  const Json numbers = PartOf(account, direction);
  double percent = 0;
  const std::string share = Share(numbers, &percent);
  table.Add({{TextAt(account, "node")},
             {TextAt(account, "namespace")},
             {direction},
             {CellText(numbers, "interface_bytes", "bytes")},
             {CellText(numbers, "loopback_bytes", "bytes")},
             {CellText(numbers, "tcp_bytes", "bytes")},
             {CellText(numbers, "tcp_sent_again_bytes", "bytes")},
             {CellText(numbers, "udp_bytes", "bytes")},
             {CellText(numbers, "header_bytes", "bytes")},
             {CellText(numbers, "unattributed_bytes", "bytes")},
             {share, percent > kNoteworthyPercent ? Color::kYellow : Color::kNone},
             {CellText(numbers, "below_ip_bytes", "bytes")},
             {CellText(numbers, "excess_bytes", "bytes")},
             {OtherPackets(numbers)}});
}

std::string AsTable(const Json& accounts, const Question& question) {
  Table table({{"NODE"},
               {"NAMESPACE"},
               {"DIR"},
               {"INTERFACES", true},
               {"LOOPBACK", true},
               {"TCP", true},
               {"SENT AGAIN", true},
               {"UDP", true},
               {"HEADERS", true},
               {"UNATTRIBUTED", true},
               {"SHARE", true},
               {"BELOW IP", true},
               {"EXCESS", true},
               {"PACKETS BUT TCP", false, 60}});
  size_t silent = 0;
  for (const Json& account : accounts) {
    if (IsSilent(account)) {
      ++silent;
      continue;
    }
    AddLine(account, "in", table);
    AddLine(account, "out", table);
  }
  std::string out = silent == accounts.size() ? "" : table.Render(question.headers, question.color, question.width);
  if (silent != 0) out += fmt::format("{} of {} network namespaces without traffic\n", silent, accounts.size());
  return out;
}

// One line per namespace and direction.
std::string AsCsv(const Json& accounts, const Question& question) {
  Json rows = Json::array();
  std::vector<std::string> names{"node", "namespace", "netns", "direction", "since", "until", "edges_ms"};
  const size_t shared = names.size();
  for (const Json& account : accounts) {
    for (const char* direction : {"in", "out"}) {
      Json row = PartOf(account, direction);
      if (names.size() == shared) {
        for (const auto& [name, number] : row.items()) names.push_back(name);
      }
      for (size_t i = 0; i < shared; ++i) row[names[i]] = account.value(names[i], Json());
      row["direction"] = direction;
      rows.push_back(std::move(row));
    }
  }
  return RowsAsCsv(rows, names, question.headers);
}

}  // namespace

std::string RenderAccounts(const Json& answer, const Question& question) {
  const Json accounts = answer.value("accounts", Json::array());
  switch (question.output) {
    case OutputFormat::kJson: return RowsAsJson(accounts);
    case OutputFormat::kCsv: return AsCsv(accounts, question);
    case OutputFormat::kTable: break;
  }
  if (accounts.empty()) {
    return fmt::format("no network namespace was read since {} until {}; `weir status` shows which agents report\n",
                       question.since, question.until);
  }
  std::string out = AsTable(accounts, question);
  if (const double elsewhere = NumberAt(answer, "elsewhere_bytes"); elsewhere > 0) {
    out += fmt::format("{} of payload were in namespaces that were not read\n", FormatBytes(elsewhere));
  }
  return out + LeftOut(answer);
}

int RunAccounts(const Question& question) {
  ApiClient client(question.connection);
  Parameters parameters{{"since", question.since}, {"until", question.until}};
  if (!question.node.empty()) parameters["node"] = question.node;
  return Redraw(
      question, [&] { return client.Get("/api/v1/accounts", parameters); }, RenderAccounts);
}

}  // namespace weir::cli
