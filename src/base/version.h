// The version of this build, from the one place that states it (CMakeLists.txt).
#pragma once

namespace weir {
inline constexpr const char* kVersion = WEIR_VERSION;
}  // namespace weir
