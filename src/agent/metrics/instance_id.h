// What the provider of a machine calls it, from its firmware tables: no metadata service is asked.
#pragma once

#include <filesystem>
#include <string>

namespace weir::agent::metrics {

// An EC2 instance's id, another virtual machine's UUID (SMBIOS), or "" where neither can be read. Needs the privileges
// of root for the UUID.
std::string ReadInstanceId(const std::filesystem::path& sys = "/sys");

}  // namespace weir::agent::metrics
