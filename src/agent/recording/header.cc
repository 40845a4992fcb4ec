#define XXH_INLINE_ALL
#include <xxhash.h>

#include "agent/recording/header.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>

#include "agent/identity/cgroup_name.h"
#include "agent/kernel/jiffies.h"
#include "agent/recording/format.h"
#include "base/clock.h"
#include "base/version.h"
#include "bpf/abi.h"

namespace weir::agent::recording {
namespace {

constexpr size_t kMaxWord = 255;
constexpr uint32_t kMaxTable = 16U << 20;
constexpr uint32_t kMaxIntervalMs = 60'000;
constexpr uint32_t kMaxJiffyUs = 1'000'000;

using Lines = std::map<std::string_view, std::string_view>;

std::string Printed(std::string_view text) { return identity::PrintableName(text, kMaxWord); }

template <typename T>
Status TakeNumber(const Lines& lines, std::string_view key, T lowest, T highest, T& to) {
  const auto line = lines.find(key);
  if (line == lines.end()) return Status::Corrupt(fmt::format("it does not tell '{}'", key));
  const std::string_view text = line->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), to);
  if (error != std::errc() || end != text.data() + text.size() || to < lowest || to > highest) {
    return Status::Corrupt(fmt::format("its {} is not a number from {} to {}", key, lowest, highest));
  }
  return Status::Ok();
}

Status TakeSwitch(const Lines& lines, std::string_view key, bool& to) {
  uint32_t number = 0;
  WEIR_RETURN_IF_ERROR(TakeNumber<uint32_t>(lines, key, 0, 1, number));
  to = number != 0;
  return Status::Ok();
}

std::string WordOf(const Lines& lines, std::string_view key) {
  const auto line = lines.find(key);
  return line == lines.end() ? std::string() : Printed(line->second);
}

Status TakeNumbers(const Lines& lines, Header& to) {
  WEIR_RETURN_IF_ERROR(TakeNumber<int64_t>(lines, "started", 1, kLatestTime, to.started));
  WEIR_RETURN_IF_ERROR(TakeNumber<uint32_t>(lines, "interval_ms", 1, kMaxIntervalMs, to.interval_ms));
  WEIR_RETURN_IF_ERROR(TakeNumber<uint32_t>(lines, "jiffy_us", 1, kMaxJiffyUs, to.jiffy_us));
  WEIR_RETURN_IF_ERROR(TakeNumber<uint32_t>(lines, "abi", 1, UINT32_MAX, to.abi));
  WEIR_RETURN_IF_ERROR(TakeNumber<uint32_t>(lines, "max_sockets", 1, kMaxTable, to.observed.max_sockets));
  WEIR_RETURN_IF_ERROR(TakeNumber<uint32_t>(lines, "max_flows", 1, kMaxTable, to.observed.max_flows));
  WEIR_RETURN_IF_ERROR(TakeSwitch(lines, "udp", to.observed.udp));
  WEIR_RETURN_IF_ERROR(TakeSwitch(lines, "dns", to.observed.dns));
  WEIR_RETURN_IF_ERROR(TakeSwitch(lines, "requests", to.observed.requests));
  // Recordings of format 1 are without.
  return lines.contains("nat") ? TakeSwitch(lines, "nat", to.observed.nat) : Status::Ok();
}

}  // namespace

Header HeaderOfThisMachine(const Clock& clock) {
  Header header;
  utsname name{};
  if (::uname(&name) == 0) {
    header.kernel = name.release;
    header.machine = name.machine;
  }
  header.weir = kVersion;
  header.started = clock.WallMillis();
  header.jiffy_us = static_cast<uint32_t>(std::clamp<uint64_t>(kernel::JiffyMicros(), 1, kMaxJiffyUs));
  header.abi = WEIR_ABI_VERSION;
  return header;
}

std::string HeaderText(const Header& header) {
  std::string text = fmt::format(
      "weir={}\nkernel={}\nmachine={}\nstarted={}\ninterval_ms={}\njiffy_us={}\nabi={}\n"
      "max_sockets={}\nmax_flows={}\nudp={:d}\ndns={:d}\nrequests={:d}\nnat={:d}\n",
      Printed(header.weir), Printed(header.kernel), Printed(header.machine), header.started, header.interval_ms,
      header.jiffy_us, header.abi, std::clamp(header.observed.max_sockets, 1U, kMaxTable),
      std::clamp(header.observed.max_flows, 1U, kMaxTable), header.observed.udp, header.observed.dns,
      header.observed.requests, header.observed.nat);
  for (size_t i = 0; i < kStructs; ++i) {
    const Layout& layout = LayoutOf(static_cast<Struct>(i));
    text += fmt::format("{}={}\n", layout.name, LayoutText(layout));
  }
  return text;
}

std::string FileStart(const Header& header) {
  std::string text = HeaderText(header);
  FileHeader start{};
  std::memcpy(start.magic, kMagic.data(), sizeof(start.magic));
  start.format = kFormat;
  start.byte_order = kByteOrder;
  start.text_bytes = static_cast<uint32_t>(text.size());
  start.text_hash = XXH3_64bits(text.data(), text.size());
  return std::string(reinterpret_cast<const char*>(&start), sizeof(start)) + text;
}

Result<ParsedHeader> ParseHeader(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return Status::Corrupt("its last line does not end");
    const std::string_view line = text.substr(0, end);
    const size_t equals = line.find('=');
    if (equals != std::string_view::npos) lines[line.substr(0, equals)] = line.substr(equals + 1);
    text.remove_prefix(end + 1);
  }
  ParsedHeader parsed;
  Header& header = parsed.header;
  header.weir = WordOf(lines, "weir");
  header.kernel = WordOf(lines, "kernel");
  header.machine = WordOf(lines, "machine");
  WEIR_RETURN_IF_ERROR(TakeNumbers(lines, header));
  for (size_t i = 0; i < kStructs; ++i) {
    const auto which = static_cast<Struct>(i);
    const auto line = lines.find(LayoutOf(which).name);
    if (line == lines.end()) return Status::Corrupt(fmt::format("it does not tell how {} lies", LayoutOf(which).name));
    WEIR_ASSIGN_OR_RETURN(Conversion conversion, Conversion::FromText(which, line->second));
    parsed.conversions.push_back(std::move(conversion));
  }
  return parsed;
}

}  // namespace weir::agent::recording
