#include "api/store_watch.h"

#include <gtest/gtest.h>

#include "api/fakes.h"

namespace weir::api {
namespace {

using std::chrono::milliseconds;

constexpr StoreWatchOptions kShort{milliseconds(5), milliseconds(20'000), milliseconds(20)};

class StoreWatchTest : public testing::Test {
 protected:
  FakeStore store_;
  FakeClock clock_;
};

TEST_F(StoreWatchTest, KnowsTheStoreFromTheStartAndAsksAgain) {
  StoreWatch watch(store_, clock_, kShort);
  EXPECT_TRUE(watch.answers());
  EXPECT_EQ(watch.Latest().as_of, clock_.WallMillis());
  store_.Set([&] { store_.status->path = "elsewhere"; });
  EXPECT_EQ(watch.Latest().status->path, "elsewhere");
}

TEST_F(StoreWatchTest, SeesByItselfThatTheStoreFailsAndRecovers) {
  StoreWatch watch(store_, clock_, kShort);
  store_.Set([&] { store_.status = Status::Internal("broken"); });
  while (watch.answers()) std::this_thread::yield();
  store_.Set([&] { store_.status = store::StoreStatus{}; });
  while (!watch.answers()) std::this_thread::yield();
}

TEST_F(StoreWatchTest, ABusyStoreAnswersAndIsKnownAsBefore) {
  store_.status->path = "here";
  StoreWatch watch(store_, clock_, kShort);
  store_.Set([&] { store_.status = Status::Unavailable("busy with other questions"); });
  EXPECT_EQ(watch.Latest().status->path, "here");
  EXPECT_TRUE(watch.answers());
}

TEST_F(StoreWatchTest, ASilentStoreIsNoticedWhileItIsAsked) {
  StoreWatch watch(store_, clock_, kShort);
  store_.Set([&] { store_.slow_status = true; });
  while (watch.answers()) std::this_thread::yield();
  store_.LetGo();
  while (!watch.answers()) std::this_thread::yield();
}

TEST_F(StoreWatchTest, NobodyWaitsLongerThanThePatience) {
  store_.status->path = "before";
  StoreWatch watch(store_, clock_, {milliseconds(60'000), milliseconds(1), milliseconds(60'000)});
  store_.Set([&] { store_.slow_status = true; });
  EXPECT_EQ(watch.Latest().status->path, "before");
  store_.LetGo();
}

}  // namespace
}  // namespace weir::api
