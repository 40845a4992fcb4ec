// Whether the agent shares the namespaces of the machine or lives in some of its own, as in a container: the eBPF
// programs see the whole machine either way, but what is read around them does not.
#pragma once

#include <filesystem>

namespace weir::agent::kernel {

// The machine's own process namespace: walks over "all" processes stay within the caller's.
bool SharesProcessNamespace(const std::filesystem::path& proc = "/proc");

// The machine's own network namespace, as the calling thread sees it.
bool SharesNetworkNamespace(const std::filesystem::path& proc = "/proc");

// Whether `proc` shows all processes of the machine, under the numbers the kernel's records have.
bool ProcShowsMachine(const std::filesystem::path& proc = "/proc");

}  // namespace weir::agent::kernel
