#include "kube/cluster_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kube/recording_listener.h"

namespace weir::kube {
namespace {

using testing::Contains;
using testing::ElementsAre;

class ClusterStateTest : public testing::Test {
 protected:
  static model::Pod PodOf(const std::string& uid, const std::string& kind, const std::string& owner) {
    model::Pod pod;
    pod.uid = uid;
    pod.name = uid;
    if (!kind.empty()) pod.controller = {kind, owner, owner};
    return pod;
  }
  static Owner OwnerOf(const std::string& uid, const std::string& kind, const std::string& above) {
    Owner owner;
    owner.uid = uid;
    owner.name = uid;
    if (!kind.empty()) owner.controller = {kind, above, above};
    return owner;
  }

  FakeClock clock_;
  RecordingListener heard_;
  ClusterState state_{heard_, clock_};
};

TEST_F(ClusterStateTest, FollowsOwnersToTheWorkload) {
  state_.Changed(Resource::kReplicaSets, OwnerOf("web-abc", "Deployment", "web"));
  state_.Changed(Resource::kJobs, OwnerOf("night-1", "CronJob", "night"));
  state_.Changed(Resource::kPods, PodOf("p1", "ReplicaSet", "web-abc"));
  state_.Changed(Resource::kPods, PodOf("p2", "Job", "night-1"));
  state_.Changed(Resource::kPods, PodOf("p3", "StatefulSet", "db"));
  state_.Changed(Resource::kPods, PodOf("p4", "", ""));
  state_.Changed(Resource::kPods, PodOf("p5", "Node", "n1"));
  state_.Changed(Resource::kPods, PodOf("p6", "RayCluster", "ray"));
  EXPECT_THAT(heard_.notes,
              ElementsAre("pod p1 of Deployment/web", "pod p2 of CronJob/night", "pod p3 of StatefulSet/db",
                          "pod p4 of Pod/p4", "pod p5 of Pod/p5", "pod p6 of RayCluster/ray"));
}

TEST_F(ClusterStateTest, AnOwnerThatComesLateCorrectsItsPods) {
  state_.Changed(Resource::kPods, PodOf("p1", "ReplicaSet", "rs"));
  state_.Changed(Resource::kPods, PodOf("p2", "ReplicaSet", "other"));
  state_.Changed(Resource::kReplicaSets, OwnerOf("rs", "Rollout", "web"));
  state_.Changed(Resource::kReplicaSets, OwnerOf("rs", "Rollout", "web"));  // nothing new
  EXPECT_THAT(heard_.notes,
              ElementsAre("pod p1 of ReplicaSet/rs", "pod p2 of ReplicaSet/other", "pod p1 of Rollout/web"));
}

TEST_F(ClusterStateTest, AnOwnerIsRememberedUntilItsLastPodHasGone) {
  state_.Changed(Resource::kReplicaSets, OwnerOf("rs", "Deployment", "web"));
  state_.Changed(Resource::kPods, PodOf("p1", "ReplicaSet", "rs"));
  state_.Deleted(Resource::kReplicaSets, Object(OwnerOf("rs", "Deployment", "web")));
  state_.Changed(Resource::kPods, PodOf("p1", "ReplicaSet", "rs"));
  EXPECT_EQ(heard_.notes.back(), "pod p1 of Deployment/web");
  state_.Deleted(Resource::kPods, Object(PodOf("p1", "ReplicaSet", "rs")));
  state_.Changed(Resource::kPods, PodOf("p2", "ReplicaSet", "rs"));
  EXPECT_EQ(heard_.notes.back(), "pod p2 of ReplicaSet/rs");
}

TEST_F(ClusterStateTest, OwnersInACircleEnd) {
  state_.Changed(Resource::kReplicaSets, OwnerOf("a", "ReplicaSet", "b"));
  state_.Changed(Resource::kReplicaSets, OwnerOf("b", "ReplicaSet", "a"));
  state_.Changed(Resource::kPods, PodOf("p", "ReplicaSet", "a"));
  EXPECT_EQ(heard_.notes.size(), 1U);
}

TEST_F(ClusterStateTest, AListEndsWhatIsNotInIt) {
  state_.Changed(Resource::kPods, PodOf("p1", "", ""));
  state_.Changed(Resource::kPods, PodOf("p2", "", ""));
  model::Service service;
  service.uid = "s1";
  state_.Changed(Resource::kServices, service);
  state_.Listed(Resource::kPods, {"p2", "p3"});
  EXPECT_THAT(heard_.notes, ElementsAre("pod p1 of Pod/p1", "pod p2 of Pod/p2", "service s1", "gone p1", "synced 0"));
  EXPECT_EQ(state_.Count(Resource::kPods), 1U);
  EXPECT_EQ(state_.Count(Resource::kServices), 1U);
  state_.Listed(Resource::kServices, {});
  EXPECT_EQ(state_.Count(Resource::kServices), 0U);
}

TEST_F(ClusterStateTest, APodEndedWhenItsLastContainerDid) {
  model::Pod pod = PodOf("p", "", "");
  model::PodContainer container;
  container.state = "terminated";
  container.finished = clock_.WallMillis() - 5'000;
  pod.containers = {container, container};
  pod.containers[1].finished -= 2'000;
  state_.Changed(Resource::kPods, pod);
  state_.Deleted(Resource::kPods, Object(pod));
  EXPECT_EQ(heard_.gone.at("p"), clock_.WallMillis() - 5'000);

  pod.containers[1].state = "running";
  state_.Changed(Resource::kPods, pod);
  state_.Deleted(Resource::kPods, Object(pod));
  EXPECT_EQ(heard_.gone.at("p"), clock_.WallMillis());

  pod.containers[1].state = "terminated";
  pod.containers[1].finished = clock_.WallMillis() + 60'000;  // its node's clock is fast
  state_.Changed(Resource::kPods, pod);
  state_.Deleted(Resource::kPods, Object(pod));
  EXPECT_EQ(heard_.gone.at("p"), clock_.WallMillis());
}

TEST_F(ClusterStateTest, WithoutReplicaSetsTheLabelTellsTheDeployment) {
  model::Pod pod = PodOf("p", "ReplicaSet", "web-6d4cf");
  pod.labels["pod-template-hash"] = "6d4cf";
  state_.Changed(Resource::kPods, pod);
  EXPECT_EQ(heard_.notes.back(), "pod p of ReplicaSet/web-6d4cf");
  state_.SetOwnersReadable(false);
  EXPECT_EQ(heard_.notes.back(), "pod p of Deployment/web");
  state_.Changed(Resource::kPods, PodOf("q", "ReplicaSet", "own-name"));
  EXPECT_EQ(heard_.notes.back(), "pod q of ReplicaSet/own-name");
  state_.SetOwnersReadable(true);
  EXPECT_THAT(heard_.notes, Contains("pod p of ReplicaSet/web-6d4cf").Times(2));
}

}  // namespace
}  // namespace weir::kube
