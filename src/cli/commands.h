// The questions a person asks in a terminal. Each command fetches from the API, renders (pure functions, tested
// on literal answers) and writes to stdout; errors go to stderr. Return values are process exit codes:
// 0 answered, 1 could not ask or was refused.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "cli/api_client.h"

namespace weir::cli {

enum class OutputFormat { kTable, kJson, kCsv };
// json | csv; anything else is a table.
OutputFormat FormatOf(std::string_view name);

inline constexpr uint64_t kTableRows = 50;

struct Question {
  Connection connection;
  std::string since = "15m";
  std::string until = "now";
  std::string filter;
  std::string group_by;
  std::string columns;
  std::string sort = "-bytes";
  uint64_t limit = 0;      // rows at most; 0 = kTableRows in a table, everything for programs
  std::string level;       // "" = the command's own: auto for the map, flows for the table
  std::string namespaces;  // comma-separated
  bool problems_only = false;
  std::string node;  // of `nodes`: "" = the list
  bool accounts = false;
  std::string subject;  // of findings, loads and why; of health: the scope
  std::string at = "now";
  std::string state = "all";
  std::string detector;
  std::string confidence = "low";

  OutputFormat output = OutputFormat::kTable;
  bool headers = true;
  bool color = false;
  size_t width = 0;  // terminal columns, 0 = unbounded
  bool watch = false;
  std::chrono::milliseconds every{2'000};
};

int RunFlows(const Question& question);
int RunMap(const Question& question);
int RunTop(const Question& question);
int RunStatus(const Question& question);
// Of `nodes`: the limits, or with `accounts` what interfaces carried.
int RunNodes(const Question& question);
int RunAccounts(const Question& question);
int RunFindings(const Question& question);
int RunWhy(const Question& question);
int RunLoads(const Question& question);
int RunHealth(const Question& question);
int RunServing(const Question& question);

// Pure: an API answer to text.
std::string RenderFlows(const Json& answer, const Question& question);
std::string RenderMap(const Json& answer, const Question& question);
std::string RenderTop(const Json& answer, const Question& question);
std::string RenderNodes(const Json& answer, const Question& question);
std::string RenderAccounts(const Json& answer, const Question& question);
std::string RenderStatus(const Json& answer, const Question& question);
std::string RenderFindings(const Json& answer, const Question& question);
std::string RenderWhy(const Json& answer, const Question& question);
std::string RenderLoads(const Json& answer, const Question& question);
std::string RenderHealth(const Json& answer, const Question& question);
std::string RenderServing(const Json& answer, const Question& question);

}  // namespace weir::cli
