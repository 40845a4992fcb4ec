// How much a node may send and receive, from the best source that knows: node labels, the configuration, a table of
// cloud instances, and last the speed of its link, which a cloud's allowance may be far below.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/status.h"

namespace weir::diagnose {

struct Capacity {
  double baseline_bits = 0;  // per second, always allowed; 0 = unknown
  double peak_bits = 0;      // allowed for a while; 0 = unknown
  std::string source;        // "node label", "configuration", "instance table of 2026-08-18", "link speed"

  bool known() const { return baseline_bits > 0 || peak_bits > 0; }
  double highest() const { return peak_bits > baseline_bits ? peak_bits : baseline_bits; }
};

// Instance types and what they may do.
class InstanceTable {
 public:
  // The table shipped with Weir (instance_bandwidth.csv).
  static const InstanceTable& Shipped();
  // Lines "type,baseline_mbits,peak_mbits"; lines with # are comments, "# date: DAY" is the table's date.
  static Result<InstanceTable> Parse(std::string_view csv);

  // nullptr when the type is not in the table.
  const Capacity* Find(const std::string& instance_type) const;
  size_t size() const { return types_.size(); }
  const std::string& date() const { return date_; }

 private:
  std::map<std::string, Capacity, std::less<>> types_;
  std::string date_;
};

// What is known of one node.
struct CapacityFacts {
  uint64_t label_baseline_mbits = 0;
  std::string instance_type;
  double link_bits = 0;  // 0 = unknown
};

class Capacities {
 public:
  explicit Capacities(const InstanceTable& table) : table_(&table) {}

  // "NODE=BASELINE[/PEAK]" in Mbit/s; NODE * stands for every node without a value of its own.
  Status Configure(std::string_view assignment);
  Capacity Of(const std::string& node, const CapacityFacts& facts) const;

 private:
  const InstanceTable* table_;  // outlives this
  std::map<std::string, Capacity, std::less<>> configured_;
};

}  // namespace weir::diagnose
