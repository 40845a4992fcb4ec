// The kernel's text files about a node, as numbers. Pure functions; what does not parse is left out, so that a file
// that changes under the reader, or a kernel with more columns, costs a value and not the rest.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace weir::agent::node {

// A small file as it is now, at most 1 MiB of it. kNotFound, kDenied as the kernel says.
Result<std::string> ReadText(const std::filesystem::path& path);

// A file that holds one decimal number.
std::optional<uint64_t> ParseNumber(std::string_view text);

// /proc/net/snmp and netstat: a line of names, a line of values, both led by "Group:".
void ParseGroups(std::string_view text,
                 const std::function<void(std::string_view group, std::string_view name, uint64_t value)>& visit);

struct SoftnetCpu {
  uint32_t cpu = 0;
  uint32_t processed = 0;
  uint32_t dropped = 0;
  uint32_t squeezed = 0;
};
// /proc/net/softnet_stat: a line of hexadecimal columns per CPU that is online. The CPU's number is column 13 where
// there is one (Linux 5.10), else the line's.
std::vector<SoftnetCpu> ParseSoftnet(std::string_view text);

// /proc/net/stat/nf_conntrack: a line of names, then a line of hexadecimal values per CPU; calls with the sums.
void ParseConntrack(std::string_view text, const std::function<void(std::string_view name, uint64_t sum)>& visit);

// cpu.stat and its kind: "name value" lines.
void ParsePairs(std::string_view text, const std::function<void(std::string_view name, uint64_t value)>& visit);

// *.pressure: microseconds of "some ... total=". nullopt when it has none.
std::optional<uint64_t> ParsePressure(std::string_view text);

}  // namespace weir::agent::node
