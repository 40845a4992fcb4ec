// What flows are: the dimensions behind the numbers in `flow`. A cache of what the tables say, filled by questions,
// so that grouping and sending need eight bytes per flow.
//
// Bounds: flows and bytes of text; when either is full the cache starts again. Thread-safe.
#pragma once

#include <tsl/robin_map.h>

#include <array>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/flow_hash.h"
#include "store/query.h"

namespace weir::store {

class FlowNames {
 public:
  // Rows of flows with their dimensions, in the order of DefaultGroup().
  struct Names {
    std::vector<uint64_t> flows;
    std::vector<std::vector<Cell>> rows;
  };
  // Looks flows up in the tables.
  using Lookup = std::function<Result<Names>(const std::vector<uint64_t>& flows)>;

  // Fills the first cells of rows[i] with the `group_by` dimensions of flows[i]. `lookup` is called for what is
  // not known yet, with other callers waiting. Its error is passed on; what it did not find stays empty.
  Status Fill(const std::vector<uint64_t>& flows, const std::vector<const model::Column*>& group_by,
              const Lookup& lookup, std::vector<std::vector<Cell>>& rows);

 private:
  static constexpr size_t kMaxFlows = 500'000;  // 100 bytes each
  static constexpr size_t kMaxTextBytes = 64 << 20;
  // A text's place in texts_, or a number; no dimension has more than 32 bits.
  using Entry = std::array<uint32_t, kDimensions>;

  std::vector<uint64_t> Missing(const std::vector<uint64_t>& flows) const;
  void Remember(const Names& names);
  uint32_t TextNumber(const std::string& text);
  void Clear();

  std::mutex mutex_;
  tsl::robin_map<uint64_t, Entry> flows_;
  tsl::robin_map<std::string, uint32_t> text_numbers_;
  std::vector<std::string> texts_;
  size_t text_bytes_ = 0;
};

}  // namespace weir::store
