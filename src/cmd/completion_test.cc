#include "cmd/completion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace weir::cmd {
namespace {

// Runs the generated script in a real bash and completes one word.
std::string Complete(const std::string& words, int position) {
  const std::string script = testing::TempDir() + "weir-completion.bash";
  std::ofstream(script) << *CompletionScript("bash") << "COMP_WORDS=(" << words << ")\nCOMP_CWORD=" << position
                        << "\n_weir\nprintf '%s ' \"${COMPREPLY[@]}\"\n";
  std::string output;
  FILE* pipe = popen(("bash " + script + " 2>&1").c_str(), "r");
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) output += static_cast<char>(c);
  EXPECT_EQ(pclose(pipe), 0) << output;
  return output;
}

TEST(Completion, BashCompletesCommandsFlagsAndChoices) {
  EXPECT_EQ(Complete("weir fl", 1), "flows ");
  EXPECT_EQ(Complete("weir flows --gro", 2), "--group-by ");
  EXPECT_EQ(Complete("weir flows --output js", 3), "json ");
  EXPECT_EQ(Complete("weir status --gro", 2), " ");
}

TEST(Completion, UnknownShellNamesThePossible) {
  EXPECT_THAT(CompletionScript("tcsh").status().message(), testing::HasSubstr("bash, zsh and fish"));
}

}  // namespace
}  // namespace weir::cmd
