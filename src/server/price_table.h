// PriceTable: what traffic costs, by where it goes. A YAML file of the user, or one that Weir ships, dated and with its
// source, for prices are the cloud's and change:
//
//   dated: 2026-11-30
//   source: https://aws.amazon.com/ec2/pricing/on-demand/
//   rules:
//     - {name: inter-zone, locality: inter_zone, direction: both, usd_per_gib: 0.02}
//     - {name: egress, locality: internet, direction: out, region: eu-central-1, usd_per_gib: 0.09}
//     - {name: nat, locality: internet, direction: both, usd_per_gib: 0.052}
//
// Of the rules of one name the first that matches counts; names add up. Immutable; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace weir::server {

// What of a flow decides its price.
struct PricedTraffic {
  std::string_view locality;       // as in model/locality.h
  std::string_view region;         // of the end that pays: the one that is ours
  std::string_view cloud_service;  // class of the other end; "" = none
  uint64_t bytes_out = 0;          // from the end that pays
  uint64_t bytes_in = 0;
};

class PriceTable {
 public:
  static constexpr size_t kMaxRules = 1'000;
  static constexpr size_t kMaxFileBytes = size_t{1} << 20;

  // kInvalid names what is wrong and where.
  static Result<PriceTable> Parse(std::string_view yaml);
  // The table that ships under this name ("aws"); kNotFound lists the names.
  static Result<PriceTable> Shipped(std::string_view name);

  // In billionths of a US dollar.
  uint64_t NanoDollars(const PricedTraffic& traffic) const;

  UnixMillis dated_ms() const { return dated_ms_; }
  const std::string& source() const { return source_; }
  size_t size() const { return rules_.size(); }

 private:
  enum class Direction : uint8_t { kOut, kIn, kBoth };
  struct Rule {
    std::string name;
    std::string locality;
    std::string region;         // "" = any
    std::string cloud_service;  // "" = any
    Direction direction = Direction::kBoth;
    double nano_dollars_per_byte = 0;
  };

  UnixMillis dated_ms_ = 0;
  std::string source_;
  std::vector<Rule> rules_;  // those of one name together
};

}  // namespace weir::server
