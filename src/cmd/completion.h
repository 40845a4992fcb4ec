// Shell completion, generated from the flag table.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace weir::cmd {

// shell: bash | zsh | fish. kInvalid names the possibilities.
Result<std::string> CompletionScript(std::string_view shell);

struct CommandHelp {
  std::string_view name;
  uint32_t bit;  // of Command; 0 = takes no flags
  std::string_view summary;
  std::string_view example;
  std::string_view arguments = {};  // what may follow the flags, as the manual writes it
};
// Every subcommand, in the order of --help.
const std::vector<CommandHelp>& Commands();

}  // namespace weir::cmd
