// An agent's reports as text: what `weir replay` prints. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "model/side_report.h"

namespace weir::cli {

struct ReportFormat {
  OutputFormat output = OutputFormat::kTable;
  bool headers = true;
  bool color = false;
  size_t width = 0;   // terminal columns, 0 = unbounded
  size_t limit = 50;  // rows of a table
};

// JSON and CSV have a row per report and interval, as they come; a table has one per end of a flow, added up over
// everything, the busiest first.
class ReportPrinter {
 public:
  explicit ReportPrinter(ReportFormat format) : format_(format) {}

  // What is to be printed now.
  std::string Add(const model::AgentBatch& batch);
  // And at the end.
  std::string Finish();

 private:
  std::string Table() const;

  const ReportFormat format_;
  size_t rows_ = 0;
  bool began_ = false;
  std::map<std::string, model::SideReport> sums_;  // by everything but the counters
};

}  // namespace weir::cli
