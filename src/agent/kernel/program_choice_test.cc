#include "agent/kernel/program_choice.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace weir::agent::kernel {
namespace {

TEST(ProgramChoice, AVerifiersRefusalIsNoMissingPrivilege) {
  EXPECT_EQ(CodeFor(EPERM), Code::kDenied);
  EXPECT_NE(HintFor(EPERM).find("run as root"), std::string::npos);
  EXPECT_EQ(CodeFor(EACCES), Code::kUnsupported);
  EXPECT_EQ(HintFor(EACCES).find("root"), std::string::npos) << HintFor(EACCES);
}

TEST(ProgramChoice, WantOfMemoryIsTheOptionsFault) {
  for (const int error : {ENOMEM, E2BIG}) {
    EXPECT_EQ(CodeFor(error), Code::kExhausted);
    EXPECT_NE(HintFor(error).find("--max-sockets"), std::string::npos);
  }
}

}  // namespace
}  // namespace weir::agent::kernel
