// Manual pages, made from the flag table and the list of subcommands.
#pragma once

#include <map>
#include <string>

namespace weir {

// File name ("weir-agent.1") to its text in man(7) macros: weir.1, and one page for each subcommand.
std::map<std::string, std::string> ManualPages();

}  // namespace weir
