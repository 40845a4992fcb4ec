// Settings: the values of the flag table for one command, gathered from flags, environment and config file.
#pragma once

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "base/status.h"
#include "cmd/flags.h"

namespace weir::cmd {

class Settings {
 public:
  // Adds every flag of `command` to `app`. `this` must outlive the parse.
  void Register(CLI::App& app, Command command);
  // After the parse: fills what neither flag nor environment gave from the config file, then checks every
  // value against its type. kInvalid names the flag, the value and what is possible.
  Status Complete();

  // Given on the command line, of a flag that is Flag::typed_only here.
  bool Typed(std::string_view name) const;
  const std::string& Text(std::string_view name) const;
  bool Switch(std::string_view name) const;
  std::chrono::milliseconds Duration(std::string_view name) const;
  uint64_t Bytes(std::string_view name) const;
  uint64_t Number(std::string_view name) const;
  double Fraction(std::string_view name) const;

 private:
  struct Slot {
    const Flag* flag = nullptr;
    CLI::Option* option = nullptr;
    std::string text;
    bool on = false;
    bool typed_only = false;
  };

  Status ReadConfigFile(const std::string& path);
  const Slot& Find(std::string_view name) const;

  std::map<std::string, Slot, std::less<>> slots_;
};

// "1048576", "64Ki", "256Mi", "10Gi", "1Ti"; also K M G T (powers of 1000) and a trailing B.
Result<uint64_t> ParseBytes(std::string_view text);
// "0.05" or "5%"; at most 1024.
Result<double> ParseFraction(std::string_view text);
// WEIR_DATA_DIR for data-dir.
std::string EnvironmentName(const Flag& flag);

}  // namespace weir::cmd
