#include "kube/cluster_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/decode.h"
#include "kube/recording_listener.h"
#include "kube/scripted_api.h"

namespace weir::kube {
namespace {

using std::chrono::milliseconds;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

std::string PodJson(const std::string& uid, const std::string& version = "1") {
  return R"({"metadata":{"name":"name-)" + uid + R"(","namespace":"shop","uid":")" + uid + R"(","resourceVersion":")" +
         version + R"("},"status":{"phase":"Running","podIP":"10.0.0.1"}})";
}
std::string EventJson(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}
std::string Bookmark(const std::string& version) {
  return EventJson("BOOKMARK", R"({"kind":"Pod","metadata":{"resourceVersion":")" + version + R"("}})");
}

class ClusterWatchTest : public testing::Test {
 protected:
  void Start(std::function<void(ClusterWatchOptions&)> change = nullptr) {
    ClusterWatchOptions options;
    options.access.server = api_.url();
    options.access.source = "a test";
    options.timing.first_retry = milliseconds(5);
    options.timing.longest_retry = milliseconds(40);
    options.timing.denied_retry = milliseconds(40);
    options.timing.absent_retry = milliseconds(40);
    options.timing.answer_timeout = milliseconds(2'000);
    if (change) change(options);
    watch_ = ClusterWatch::Start(std::move(options), heard_, clock_);
  }
  WatchStatus Of(const std::string& resource) const {
    for (const WatchStatus& each : watch_->Report().watches) {
      if (each.resource == resource) return each;
    }
    return {};
  }
  // Polls, because states are not announced; false after 20 s.
  static bool WaitUntil(const std::function<bool()>& check) {
    for (int i = 0; i < 2'000; ++i) {
      if (check()) return true;
      std::this_thread::sleep_for(milliseconds(10));
    }
    return false;
  }
  bool WaitState(const std::string& resource, const std::string& state) const {
    return WaitUntil([&] { return Of(resource).state == state; });
  }

  SystemClock clock_;
  ScriptedApi api_;
  RecordingListener heard_;
  std::unique_ptr<ClusterWatch> watch_;
};

TEST_F(ClusterWatchTest, ListsInPagesAndWatchesFromThere) {
  api_.Script("pods", ListAnswer(PodJson("a"), "10", "token/+="));
  api_.Script("pods", ListAnswer(PodJson("b"), "10"));
  api_.Script("pods", WatchAnswer(EventJson("ADDED", PodJson("c", "11")) + EventJson("DELETED", PodJson("a", "12")) +
                                      Bookmark("20"),
                                  false));
  Start();
  ASSERT_TRUE(heard_.WaitForNote("gone a"));
  ASSERT_TRUE(api_.WaitRequests("pods", 4));
  const std::vector<std::string> requests = api_.Requests("pods");
  EXPECT_EQ(requests[0], "/api/v1/pods?limit=500");
  EXPECT_EQ(requests[1], "/api/v1/pods?limit=500&continue=token%2F%2B%3D");
  EXPECT_THAT(requests[2],
              HasSubstr("/api/v1/pods?watch=1&allowWatchBookmarks=true&resourceVersion=10&timeoutSeconds="));
  EXPECT_THAT(requests[3], HasSubstr("resourceVersion=20&"));  // from the bookmark, without a new list
  EXPECT_THAT(heard_.notes, Contains("synced 0").Times(1));
  EXPECT_EQ(Of("pods").objects, 2U);
  EXPECT_EQ(Of("pods").lists, 1U);
  EXPECT_TRUE(WaitState("pods", "watching"));
}

TEST_F(ClusterWatchTest, PodsComeAfterTheirOwnersWhichAreAskedForAsMetadata) {
  api_.Script("replicasets",
              ListAnswer(R"({"metadata":{"name":"web-1","uid":"rs","ownerReferences":[{"kind":"Deployment",
    "name":"web","uid":"d","controller":true}]}})",
                         "5"));
  api_.Script("pods",
              ListAnswer(R"({"metadata":{"name":"p","uid":"p","ownerReferences":[{"kind":"ReplicaSet","name":"web-1",
    "uid":"rs","controller":true}]}})",
                         "6"));
  Start();
  ASSERT_TRUE(heard_.WaitForNote("synced 0"));
  EXPECT_THAT(heard_.notes, Contains("pod p of Deployment/web"));
  EXPECT_THAT(heard_.notes, Not(Contains("pod p of ReplicaSet/web-1")));
  EXPECT_THAT(api_.Head("replicasets", 0), HasSubstr("as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"));
  EXPECT_THAT(api_.Head("pods", 0), testing::EndsWith("Accept: application/json"));
}

TEST_F(ClusterWatchTest, A410OfEitherFormMakesANewList) {
  api_.Script("pods", ListAnswer(PodJson("a") + "," + PodJson("b"), "10"));
  api_.Script("pods", WatchAnswer(EventJson("ERROR", ApiStatus(410, "Expired", "too old")), false));
  api_.Script("pods", ListAnswer(PodJson("b"), "20"));
  api_.Script("pods", Answer(410, ApiStatus(410, "Gone", "too old")));
  api_.Script("pods", ListAnswer(PodJson("c"), "30"));
  Start();
  ASSERT_TRUE(heard_.WaitForNote("gone b"));
  EXPECT_THAT(heard_.notes, Contains("gone a"));
  ASSERT_TRUE(api_.WaitRequests("pods", 6));
  EXPECT_THAT(api_.Requests("pods")[5], HasSubstr("resourceVersion=30&"));
  EXPECT_EQ(Of("pods").lists, 3U);
  EXPECT_EQ(Of("pods").problem, "");
}

TEST_F(ClusterWatchTest, PagesThatKeepExpiringAreReadAsOneList) {
  for (int i = 0; i < 2; ++i) {
    api_.Script("pods", ListAnswer(PodJson("a"), "10", "more"));
    api_.Script("pods", Answer(410, ApiStatus(410, "Expired", "continue token too old")));
  }
  api_.Script("pods", ListAnswer(PodJson("b"), "30"));
  Start();
  ASSERT_TRUE(heard_.WaitForNote("synced 0"));
  EXPECT_EQ(api_.Requests("pods")[4], "/api/v1/pods?resourceVersion=0");
}

TEST_F(ClusterWatchTest, ACutWithinAnObjectLosesNothing) {
  const std::string event = EventJson("ADDED", PodJson("b", "12"));
  api_.Script("pods", ListAnswer(PodJson("a"), "10"));
  api_.Script("pods", WatchAnswer(EventJson("MODIFIED", PodJson("a", "11")) + event.substr(0, 40), false));
  api_.Script("pods", WatchAnswer(event, true));
  Start();
  ASSERT_TRUE(heard_.WaitForNote("pod b of Pod/name-b"));
  EXPECT_THAT(api_.Requests("pods")[2], HasSubstr("resourceVersion=11&"));
  EXPECT_EQ(Of("pods").lists, 1U);
}

TEST_F(ClusterWatchTest, AWatchThatCanGoOnIsOneAgainBeforeItsNextEvent) {
  api_.Script("pods", ListAnswer(PodJson("a"), "10"));
  api_.Script("pods", Answer(502, "bad gateway"));
  Start([](ClusterWatchOptions& options) { options.timing.first_retry = milliseconds(300); });
  ASSERT_TRUE(WaitState("pods", "retrying"));
  ASSERT_TRUE(WaitState("pods", "watching"));
  EXPECT_EQ(Of("pods").problem, "");
}

TEST_F(ClusterWatchTest, GarbageIsSaidAndSurvived) {
  api_.Script("pods", Answer(200, "<html>a proxy's page</html>"));
  api_.Script("pods", Answer(502, "<html>bad gateway</html>"));
  api_.Script("pods", ListAnswer(PodJson("a"), "10"));
  api_.Script("pods", WatchAnswer("\x01\x02 garbage\n", false));
  api_.Script("pods", WatchAnswer(EventJson("ADDED", R"({"metadata":{"name":"no uid"}})") +
                                      EventJson("ADDED", PodJson("b", "12")),
                                  true));
  Start();
  ASSERT_TRUE(heard_.WaitForNote("pod b of Pod/name-b"));
  EXPECT_EQ(Of("pods").refused, 1U);
  EXPECT_EQ(Of("pods").failures, 3U);
}

TEST_F(ClusterWatchTest, AWatchThatOnlySpeaksGarbageEndsInANewList) {
  api_.Script("pods", ListAnswer(PodJson("a"), "10"));
  for (int i = 0; i < 5; ++i) api_.Script("pods", WatchAnswer("garbage\n", false));
  api_.Script("pods", ListAnswer(PodJson("b"), "20"));
  Start();
  ASSERT_TRUE(heard_.WaitForNote("gone a"));
}

TEST_F(ClusterWatchTest, AnObjectThatIsTooLargeIsLeftOutOfTheWatch) {
  const std::string huge = EventJson(
      "ADDED", R"({"metadata":{"name":"h","uid":"h"},"x":")" + std::string(kMaxObjectBytes + 2'000, 'x') + "\"}");
  api_.Script("pods", ListAnswer("", "10"));
  api_.Script("pods", WatchAnswer(huge + EventJson("ADDED", PodJson("b", "12")), true));
  Start();
  ASSERT_TRUE(heard_.WaitForNote("pod b of Pod/name-b"));
  ASSERT_TRUE(WaitUntil([&] { return Of("pods").refused == 1; }));
  EXPECT_EQ(Of("pods").objects, 1U);
}

TEST_F(ClusterWatchTest, PagesThatAreTooLargeBecomeSmaller) {
  const std::string padding = R"({"metadata":{"name":"a","uid":"a"},"x":")" + std::string(20'000, 'x') + "\"}";
  api_.Script("pods", ListAnswer(padding, "10"));
  api_.Script("pods", ListAnswer(PodJson("a"), "10"));
  Start([](ClusterWatchOptions& options) { options.timing.page_bytes = 10'000; });
  ASSERT_TRUE(heard_.WaitForNote("synced 0"));
  EXPECT_EQ(api_.Requests("pods")[1], "/api/v1/pods?limit=100");
}

TEST_F(ClusterWatchTest, AForbiddenResourceIsSaidWithItsRemedyAndHoldsUpNoOther) {
  for (int i = 0; i < 3; ++i)
    api_.Script("services", Answer(403, ApiStatus(403, "Forbidden", "services is forbidden: User x")));
  api_.Script("services", ListAnswer(R"({"metadata":{"name":"s","uid":"s"}})", "9"));
  Start([](ClusterWatchOptions& options) { options.timing.first_retry = milliseconds(200); });
  ASSERT_TRUE(heard_.WaitForNote("synced 0"));
  ASSERT_TRUE(WaitState("services", "denied"));
  EXPECT_THAT(Of("services").problem, HasSubstr("services is forbidden: User x"));
  EXPECT_THAT(Of("services").problem, HasSubstr("deploy/kubernetes/rbac.yaml"));
  ASSERT_TRUE(heard_.WaitForNote("service s"));  // once the rights are there
  ASSERT_TRUE(WaitState("services", "watching"));
  EXPECT_EQ(Of("services").problem, "");
}

TEST_F(ClusterWatchTest, WithoutReplicaSetsDeploymentsAreToldByLabel) {
  for (int i = 0; i < 1'000; ++i) api_.Script("replicasets", Answer(403, ApiStatus(403, "Forbidden", "no")));
  api_.Script("pods", ListAnswer(R"({"metadata":{"name":"p","uid":"p","labels":{"pod-template-hash":"5f"},
    "ownerReferences":[{"kind":"ReplicaSet","name":"web-5f","uid":"rs","controller":true}]}})",
                                 "6"));
  Start();
  ASSERT_TRUE(heard_.WaitForNote("pod p of Deployment/web"));
}

TEST_F(ClusterWatchTest, OfSeveralVersionsTheBestThatIsServedIsRead) {
  api_.Script("discovery.k8s.io",
              Answer(200, R"({"kind":"APIGroup","versions":[{"version":"v1beta1"},{"version":"v2"}]})"));
  Start();
  ASSERT_TRUE(heard_.WaitForNote("synced 2"));
  EXPECT_EQ(api_.Requests("endpointslices")[0], "/apis/discovery.k8s.io/v1beta1/endpointslices?limit=500");
}

TEST_F(ClusterWatchTest, AnApiThatIsNotServedIsAbsentUntilItIs) {
  api_.Script("s3.csi.aws.com", Answer(404, "404 page not found"));
  api_.Script("s3.csi.aws.com", Answer(200, R"({"kind":"APIGroup","versions":[{"version":"v2"}]})"));
  Start([](ClusterWatchOptions& options) { options.timing.absent_retry = milliseconds(300); });
  ASSERT_TRUE(WaitState("mountpoints3podattachments", "absent"));
  EXPECT_EQ(Of("mountpoints3podattachments").problem, "");  // most clusters have none
  EXPECT_EQ(Of("mountpoints3podattachments").failures, 0U);
  ASSERT_TRUE(heard_.WaitForNote("synced 5"));
  EXPECT_EQ(api_.Requests("mountpoints3podattachments")[0],
            "/apis/s3.csi.aws.com/v2/mountpoints3podattachments?limit=500");
}

TEST_F(ClusterWatchTest, ABusyServerIsLeftAloneAsLongAsItSays) {
  api_.Script("pods", Answer(429, ApiStatus(429, "TooManyRequests", "later"), "Retry-After: 1\r\n"));
  api_.Script("pods", ListAnswer(PodJson("a"), "10"));
  const Nanos start = clock_.MonotonicNanos();
  Start();
  ASSERT_TRUE(heard_.WaitForNote("synced 0"));
  EXPECT_GE(clock_.MonotonicNanos() - start, 1'000'000'000);
}

TEST_F(ClusterWatchTest, AServerThatNeverAnswersIsGivenUpAndSaid) {
  for (int i = 0; i < 1'000; ++i) api_.Script("pods", {"", true});
  Start([](ClusterWatchOptions& options) { options.timing.answer_timeout = milliseconds(50); });
  ASSERT_TRUE(WaitState("pods", "retrying"));
  EXPECT_THAT(Of("pods").problem, HasSubstr("cannot be reached for pods"));
  EXPECT_THAT(Of("pods").problem, HasSubstr("Check its address"));
}

TEST_F(ClusterWatchTest, ASilentWatchEndsInANewList) {
  api_.Script("pods", ListAnswer(PodJson("a"), "99999"));
  Start([](ClusterWatchOptions& options) {
    options.timing.watch_life = std::chrono::seconds(1);
    options.timing.watch_grace = std::chrono::seconds(0);
  });
  ASSERT_TRUE(heard_.WaitForNote("gone a"));
}

TEST_F(ClusterWatchTest, AServerThatEndsWatchesAtOnceIsAskedLessAndLess) {
  for (int i = 0; i < 4; ++i) api_.Script("pods", WatchAnswer("", false));
  api_.Script("nodes", ListAnswer("", "3"));
  for (int i = 0; i < 4; ++i) api_.Script("nodes", WatchAnswer("", false));
  Start();
  ASSERT_TRUE(api_.WaitRequests("nodes", 5));
  EXPECT_GE(Of("nodes").failures, 2U);
}

TEST_F(ClusterWatchTest, AFloodOfEventsIsReadToItsEnd) {
  std::string flood;
  for (int i = 0; i < 20'000; ++i)
    flood += EventJson("MODIFIED", PodJson("p" + std::to_string(i % 100), std::to_string(100 + i)));
  api_.Script("pods", ListAnswer("", "10"));
  api_.Script("pods", WatchAnswer(flood + Bookmark("90000"), true));
  Start();
  ASSERT_TRUE(heard_.WaitFor([](const RecordingListener& heard) { return heard.notes.size() > 20'000; }));
  EXPECT_EQ(Of("pods").objects, 100U);
}

TEST_F(ClusterWatchTest, StopsWhileEverythingWaits) {
  Start();
  ASSERT_TRUE(heard_.WaitForNote("synced 0"));
  const Nanos start = clock_.MonotonicNanos();
  watch_->Stop();
  EXPECT_LT(clock_.MonotonicNanos() - start, 5'000'000'000);
}

}  // namespace
}  // namespace weir::kube
