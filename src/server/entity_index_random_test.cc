// Names of one address under random churn, against the truth: pods come and go, what the cluster tells comes late and
// with times cut to whole seconds, agents report some intervals, flows are named as they come. A flow may stay
// nameless; it must never have another's name, neither at once nor by a name that arrives later.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "server/entity_index.h"

namespace weir::server {
namespace {

constexpr UnixMillis kBegin = 1'764'500'000'000;
constexpr UnixMillis kEnd = kBegin + 600'000;

UnixMillis WholeSeconds(UnixMillis time) { return time / 1'000 * 1'000; }

struct TruePod {
  std::string uid;
  UnixMillis created = 0;
  UnixMillis started = 0;   // by its kubelet
  UnixMillis assigned = 0;  // the address
  UnixMillis deletion = 0;  // 0 = it ends by itself
  UnixMillis finished = 0;
  UnixMillis released = 0;
  UnixMillis gone = 0;  // 0 = its object stays
  bool has_agent = false;
};

class Churn {
 public:
  explicit Churn(uint32_t seed) : random_(seed) {
    address_ = *model::Address::Parse("10.1.0.2");
    cluster_ = index_.ClusterOf("prod");
    MakePods();
    for (const TruePod& pod : pods_) Tell(pod);
    MakeFlows();
  }

  void Run() {
    std::stable_sort(events_.begin(), events_.end(), [](const Event& a, const Event& b) { return a.at < b.at; });
    for (const Event& event : events_) event.what(event.at);
  }

  struct Judgement {
    size_t flows = 0;
    size_t named_at_once = 0;
    size_t named_in_the_end = 0;
    size_t wrong = 0;
    std::string first_wrong;
  };

  Judgement Judge() {
    Judgement judgement;
    std::map<uint32_t, std::string> late;  // the name each generation has in the end
    for (const Named& flow : named_) {
      const AddressHolder holder = index_.HolderOf(address_, cluster_, flow.start, flow.end, kEnd);
      if (holder.pod != nullptr) late[holder.generation] = holder.pod->uid;
    }
    for (const Named& flow : named_) {
      ++judgement.flows;
      const auto later = late.find(flow.generation);
      const std::string finally = later != late.end() ? later->second : flow.name;
      judgement.named_at_once += flow.name.empty() ? 0 : 1;
      judgement.named_in_the_end += finally.empty() ? 0 : 1;
      for (const std::string& name : {flow.name, finally}) {
        if (name.empty() || name == flow.truth) continue;
        ++judgement.wrong;
        if (!judgement.first_wrong.empty()) continue;
        judgement.first_wrong = name + " in place of '" + flow.truth + "' at " + std::to_string(flow.start - kBegin);
      }
    }
    return judgement;
  }

 private:
  struct Event {
    UnixMillis at = 0;
    std::function<void(UnixMillis now)> what;
  };
  struct Named {
    UnixMillis start = 0;
    UnixMillis end = 0;
    std::string truth;
    std::string name;  // as it was stored
    uint32_t generation = 0;
  };

  UnixMillis Between(UnixMillis least, UnixMillis most) {
    return std::uniform_int_distribution<UnixMillis>(least, most)(random_);
  }

  void MakePods() {
    UnixMillis released = kBegin;
    UnixMillis created = kBegin;
    while (released < kEnd - 60'000) {
      TruePod pod;
      pod.uid = "pod-" + std::to_string(pods_.size());
      pod.created = std::max(created, released - Between(0, 5'000)) + Between(0, 8'000);
      pod.started = pod.created + Between(50, 1'500);
      pod.assigned = std::max(pod.started + Between(200, 2'000), released + Between(600, 2'000));
      const UnixMillis ends = pod.assigned + Between(500, 40'000);
      if (Between(0, 3) != 0) pod.deletion = ends;
      pod.finished = ends + Between(0, 3'000);
      pod.released = pod.finished + Between(0, 1'000);
      if (pod.deletion != 0) pod.gone = pod.finished + Between(0, 4'000);
      pod.has_agent = Between(0, 1) == 1;
      released = pod.released;
      created = pod.created;
      pods_.push_back(pod);
    }
  }

  // As the API server tells it: of an end before the address is given away, of all else when it likes.
  void Tell(const TruePod& pod) {
    model::Pod object;
    object.uid = object.name = pod.uid;
    object.name_space = "shop";
    object.node = "n1";
    object.created = WholeSeconds(pod.created);
    object.scheduled = object.created;
    object.phase = "Pending";
    object.containers = {model::PodContainer{}};
    object.containers[0].state = "waiting";
    UnixMillis told = pod.created;
    const auto tell = [&](UnixMillis at) {
      told = std::max(told, at + Between(10, 400));
      events_.push_back({told, [this, object](UnixMillis now) { index_.Changed(cluster_, object, now); }});
    };
    tell(pod.created);
    object.started = WholeSeconds(pod.started);
    object.addresses = {address_};
    object.phase = "Running";
    object.containers[0].state = "running";
    tell(pod.assigned + Between(100, 1'500));
    if (pod.deletion != 0) {
      object.deletion = WholeSeconds(pod.deletion) + 30'000;
      tell(pod.deletion);
    }
    object.containers[0].state = "terminated";
    object.containers[0].finished = WholeSeconds(pod.finished);
    if (pod.deletion == 0) object.phase = "Succeeded";
    tell(pod.finished + Between(0, 400));
    if (pod.gone != 0) {
      told = std::max(told, pod.gone + Between(10, 400));
      events_.push_back({told, [this, pod](UnixMillis now) { index_.GonePod(pod.uid, pod.gone, now); }});
    }
    if (!pod.has_agent) return;
    for (UnixMillis start = WholeSeconds(pod.assigned); start < pod.finished; start += 1'000) {
      if (Between(0, 1) == 0) continue;
      events_.push_back({start + 1'000 + Between(200, 900), [this, pod, start](UnixMillis now) {
                           index_.Prove(pod.uid, cluster_, address_, start, start + 1'000, now);
                         }});
    }
  }

  void MakeFlows() {
    for (UnixMillis start = kBegin; start < kEnd; start += 1'000) {
      const UnixMillis moment = start + Between(0, 999);
      const auto held = [moment](const TruePod& pod) { return pod.assigned <= moment && moment < pod.released; };
      const auto pod = std::find_if(pods_.begin(), pods_.end(), held);
      // What goes to an address nobody has may be named after whom it was for.
      if (pod == pods_.end()) continue;
      const std::string truth = pod->uid;
      const UnixMillis comes = start + 1'000 + (Between(0, 9) == 0 ? Between(0, 30'000) : Between(200, 900));
      events_.push_back({comes, [this, start, truth](UnixMillis now) {
                           const AddressHolder holder = index_.HolderOf(address_, cluster_, start, start + 1'000, now);
                           named_.push_back({start, start + 1'000, truth, holder.pod != nullptr ? holder.pod->uid : "",
                                             holder.generation});
                         }});
    }
  }

  std::mt19937 random_;
  EntityIndex index_;
  model::Address address_;
  ClusterNumber cluster_ = 0;
  std::vector<TruePod> pods_;
  std::vector<Event> events_;
  std::vector<Named> named_;
};

TEST(EntityIndexRandom, NoFlowEverHasAnothersName) {
  Churn::Judgement all;
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    Churn churn(seed);
    churn.Run();
    const Churn::Judgement judgement = churn.Judge();
    ASSERT_EQ(judgement.wrong, 0U) << "seed " << seed << ": " << judgement.first_wrong;
    all.flows += judgement.flows;
    all.named_at_once += judgement.named_at_once;
    all.named_in_the_end += judgement.named_in_the_end;
  }
  // With an address that changes hands every half minute: what stays nameless lies around the changes.
  EXPECT_GT(all.named_in_the_end, all.flows * 6 / 10)
      << all.named_at_once << " at once, " << all.named_in_the_end << " in the end, of " << all.flows;
  RecordProperty("flows", static_cast<int>(all.flows));
  RecordProperty("named", static_cast<int>(all.named_in_the_end));
}

}  // namespace
}  // namespace weir::server
