#include "agent/kernel/symbol_addresses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

namespace weir::agent::kernel {
namespace {

TEST(SymbolAddressesTest, WholeNamesOfTheKernelAreFound) {
  const std::filesystem::path list =
      std::filesystem::temp_directory_path() / ("weir-symbols-" + std::to_string(::getpid()));
  std::ofstream(list) << "ffffffff82a3c5b0 D vmemmap_base\n"
                         "ffffffff82a3c5b8 D page_offset_base_too\n"
                         "ffffffffc0000010 d page_offset_base\t[module]\n"
                         "0000000000000000 D hidden\n"
                         "\n"
                         "not a line\n"
                         "zz D broken\n";
  EXPECT_THAT(SymbolAddresses({"page_offset_base", "vmemmap_base", "hidden", "broken"}, list),
              testing::ElementsAre(0, 0xffffffff82a3c5b0, 0, 0));
  std::filesystem::remove(list);
  EXPECT_THAT(SymbolAddresses({"vmemmap_base"}, list), testing::ElementsAre(0));
}

}  // namespace
}  // namespace weir::agent::kernel
