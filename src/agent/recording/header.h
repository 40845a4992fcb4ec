// The header of a recording in words: who recorded, on which kernel, and what was observed how. Lines of `key=value`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/observe_options.h"
#include "agent/recording/layout.h"
#include "base/clock.h"
#include "base/status.h"

namespace weir::agent::recording {

struct Header {
  std::string weir;     // version
  std::string kernel;   // release
  std::string machine;  // architecture
  UnixMillis started = 0;
  uint32_t interval_ms = 1'000;
  uint32_t jiffy_us = 4'000;  // 1 .. 1,000,000
  uint32_t abi = 0;           // WEIR_ABI_VERSION
  ObserveOptions observed;    // udp_group and receive_loss left out: they say what is recorded, not what follows
};

// Of this machine and this program: weir, kernel, machine, jiffy_us, abi and started.
Header HeaderOfThisMachine(const Clock& clock);

// With the layouts of this program's structs.
std::string HeaderText(const Header& header);
// The bytes a recording begins with, before its first block: a FileHeader and the text it describes.
std::string FileStart(const Header& header);

struct ParsedHeader {
  Header header;
  std::vector<Conversion> conversions;  // in the order of Struct
};
// kCorrupt: a line is missing or makes no sense; kUnsupported: a layout cannot be read any more.
Result<ParsedHeader> ParseHeader(std::string_view text);

}  // namespace weir::agent::recording
