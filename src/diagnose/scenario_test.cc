// Every recipe of docs/detectors/README.md as a stream of samples: what must be found, what must not, and the words.
#include "diagnose/scenario.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace weir::diagnose {
namespace {

std::vector<std::string> Fixtures() {
  std::vector<std::string> names;
  for (const auto* folder : {WEIR_FIXTURES, WEIR_RECORDED}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Recordings of ./dev demo have names that begin with R.
std::filesystem::path PathOf(const std::string& name) {
  return std::filesystem::path(name.starts_with('R') ? WEIR_RECORDED : WEIR_FIXTURES) / (name + ".txt");
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

constexpr std::string_view kGoldenMark = "--- golden\n";

class Recipe : public testing::TestWithParam<std::string> {
 protected:
  static void Expect(const Scenario& scenario, const ScenarioOptions& options, const std::string& how) {
    const Scenario::Outcome outcome = scenario.Run(options);
    for (const ScenarioLine& expectation : scenario.expectations()) {
      const std::string wrong = Scenario::Check(expectation, outcome);
      EXPECT_EQ(wrong, "") << how << ", line " << expectation.number << "\nall findings:\n"
                           << Scenario::Golden(outcome);
    }
  }
};

TEST_P(Recipe, FindsWhatIsThereAndNothingElse) { Expect(Scenario(ReadFile(PathOf(GetParam()))), {}, "as written"); }

// WEIR_UPDATE_GOLDEN=1 writes them anew.
TEST_P(Recipe, SaysItInTheseWords) {
  const std::string text = ReadFile(PathOf(GetParam()));
  const size_t mark = text.find(kGoldenMark);
  const std::string golden = Scenario::Golden(Scenario(text).Run());
  if (std::getenv("WEIR_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(PathOf(GetParam())) << text.substr(0, mark) << kGoldenMark << golden;
    return;
  }
  ASSERT_NE(mark, std::string::npos) << "no golden text; run with WEIR_UPDATE_GOLDEN=1";
  EXPECT_EQ(golden, text.substr(mark + kGoldenMark.size()));
}

TEST_P(Recipe, HoldsForOtherRatesSizesAndSeeds) {
  const Scenario scenario(ReadFile(PathOf(GetParam())));
  for (uint64_t seed = 2; seed <= 11; ++seed) {
    ScenarioOptions options;
    options.seed = seed;
    Expect(scenario, options, fmt::format("seed {}", seed));
  }
}

INSTANTIATE_TEST_SUITE_P(Recipes, Recipe, testing::ValuesIn(Fixtures()),
                         [](const auto& recipe) { return recipe.param; });

}  // namespace
}  // namespace weir::diagnose
