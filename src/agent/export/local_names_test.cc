#include "agent/export/local_names.h"

#include <gtest/gtest.h>

#include <fstream>

#include "agent/export/temporary_directory.h"
#include "base/metrics.h"

namespace weir::agent {
namespace {

constexpr Nanos kSecond = 1'000'000'000;

model::PodName Pod(const std::string& uid, const std::string& name) {
  return {uid, "prod", "shop", name, "Deployment", "cart", {{uid + "-c1", "app"}, {uid + "-c2", "proxy"}}};
}

struct LocalNamesTest : testing::Test {
  std::string NameOf(const LocalNames& names, const std::string& uid) {
    const auto pod = names.OfPod(uid);
    return pod == nullptr ? "" : pod->pod;
  }
  TemporaryDirectory directory;
  FakeClock clock;
};

TEST_F(LocalNamesTest, AppliesCompleteStatesAndChanges) {
  LocalNames names(directory.path(), clock);
  EXPECT_EQ(names.version(), model::NamesVersion{});
  names.Apply({{1, 10}, true, {Pod("a", "cart-1"), Pod("b", "cart-2")}, {}});
  EXPECT_EQ(names.version(), (model::NamesVersion{1, 10}));
  EXPECT_EQ(NameOf(names, "a"), "cart-1");
  EXPECT_EQ(names.OfContainer("b-c2")->pod, "cart-2");
  names.Apply({{1, 11}, false, {Pod("c", "cart-3")}, {"a"}});
  EXPECT_EQ(NameOf(names, "a"), "");
  EXPECT_EQ(names.OfContainer("a-c1"), nullptr);
  EXPECT_EQ(names.size(), 2U);
  names.Apply({{2, 3}, true, {Pod("d", "cart-4")}, {}});
  EXPECT_EQ(names.size(), 1U);
  EXPECT_EQ(names.OfContainer("b-c1"), nullptr);
}

TEST_F(LocalNamesTest, AnAcknowledgementWithoutNamesChangesNothing) {
  LocalNames names(directory.path(), clock);
  names.Apply({{1, 10}, true, {Pod("a", "cart-1")}, {}});
  names.Apply({});
  EXPECT_EQ(names.version(), (model::NamesVersion{1, 10}));
  EXPECT_EQ(NameOf(names, "a"), "cart-1");
}

TEST_F(LocalNamesTest, AContainerThatMovedOnIsNotForgottenWithItsFormerPod) {
  LocalNames names(directory.path(), clock);
  model::PodName former = Pod("a", "old");
  model::PodName latter = Pod("b", "new");
  latter.containers = former.containers;
  names.Apply({{1, 1}, true, {former}, {}});
  names.Apply({{1, 2}, false, {latter}, {"a"}});
  names.Apply({{1, 3}, false, {}, {"a"}});
  ASSERT_NE(names.OfContainer("a-c1"), nullptr);
  EXPECT_EQ(names.OfContainer("a-c1")->pod, "new");
}

TEST_F(LocalNamesTest, SurvivesARestartWhileTheServerIsAway) {
  {
    LocalNames names(directory.path(), clock);
    names.Apply({{1, 10}, true, {Pod("a", "cart-1")}, {}});
    ASSERT_TRUE(names.Save().ok());
    names.Apply({{1, 11}, false, {Pod("b", "cart-2")}, {}});
    clock.Advance(9 * kSecond);
    ASSERT_TRUE(names.Save().ok()) << "too soon: nothing is written";
    EXPECT_EQ(LocalNames(directory.path(), clock).size(), 1U);
    clock.Advance(kSecond);
    ASSERT_TRUE(names.Save().ok());
  }
  const LocalNames again(directory.path(), clock);
  EXPECT_EQ(again.version(), (model::NamesVersion{1, 11}));
  EXPECT_EQ(NameOf(again, "a"), "cart-1");
  EXPECT_EQ(again.OfContainer("b-c1")->pod, "cart-2");
}

TEST_F(LocalNamesTest, ADamagedFileIsAsGoodAsNone) {
  std::ofstream(directory.path() / "pod_names") << "\xff\xff\xff garbage";
  LocalNames names(directory.path(), clock);
  EXPECT_EQ(names.version(), model::NamesVersion{});
  names.Apply({{1, 10}, true, {Pod("a", "cart-1")}, {}});
  ASSERT_TRUE(names.Save(true).ok());
  EXPECT_EQ(LocalNames(directory.path(), clock).size(), 1U);
}

TEST_F(LocalNamesTest, IsBoundedAndCountsWhatDoesNotFit) {
  LocalNames names(directory.path(), clock);
  const uint64_t before = Read(Metric::agent_local_names_full);
  for (size_t i = 0; i < LocalNames::kMaxPods + 2; i += model::kMaxPodNames) {
    model::PodNames change{{1, i + 1}, false, {}, {}};
    for (size_t j = 0; j < model::kMaxPodNames; ++j) change.pods.push_back(Pod(std::to_string(i + j), "p"));
    names.Apply(change);
  }
  EXPECT_EQ(names.size(), LocalNames::kMaxPods);
  EXPECT_EQ(Read(Metric::agent_local_names_full) - before, model::kMaxPodNames);
}

}  // namespace
}  // namespace weir::agent
