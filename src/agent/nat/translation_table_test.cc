#include "agent/nat/translation_table.h"

#include <gtest/gtest.h>

#include <functional>
#include <string_view>

#include "base/metrics.h"

namespace weir::agent::nat {
namespace {

using flow::ClientEnds;
using flow::Translation;
using model::Address;

constexpr Nanos kSecond = 1'000'000'000;

Address Ip(std::string_view text) { return *Address::Parse(text); }

class FakeTracking final : public ConnectionTracking {
 public:
  bool Active() override { return active; }
  Followed Follow(const ClientEnds& ends, bool first) override {
    ++asked;
    thorough += first ? 1 : 0;
    Followed followed;
    followed.client = ends.client;
    followed.server = ends.server;
    followed.server_port = ends.server_port;
    followed.questions = 1;
    followed.found = answer && answer(ends, followed);
    return followed;
  }
  void RoundEnds() override {}
  model::ProbeReport Probe() const override { return {}; }

  bool active = true;
  int asked = 0;
  int thorough = 0;
  std::function<bool(const ClientEnds&, Followed&)> answer;
};

class TranslationTableTest : public testing::Test {
 protected:
  static ClientEnds To(const char* server, uint16_t client_port = 40'000) {
    ClientEnds ends;
    ends.netns = 7;
    ends.client = Ip("10.0.0.1");
    ends.server = Ip(server);
    ends.client_port = client_port;
    ends.server_port = 80;
    return ends;
  }
  // Every second connection to another backend.
  static bool TwoBackends(const ClientEnds& ends, Followed& followed) {
    if (ends.server != Ip("10.96.0.10")) return true;
    followed.server = ends.client_port % 2 == 0 ? Ip("10.0.1.1") : Ip("10.0.1.2");
    followed.server_port = 8'080;
    return true;
  }

  FakeClock clock_;
  FakeTracking tracking_;
  TranslationTable table_{tracking_, clock_};
};

TEST_F(TranslationTableTest, AsksNobodyWhereNothingIsTracked) {
  tracking_.active = false;
  EXPECT_EQ(table_.Find(To("10.96.0.10")).state, Translation::State::kNone);
  EXPECT_EQ(tracking_.asked, 0);
}

TEST_F(TranslationTableTest, AsksForEachConnectionToATranslatedDestination) {
  tracking_.answer = TwoBackends;
  for (uint16_t port = 40'000; port < 40'010; ++port) {
    const Translation found = table_.Find(To("10.96.0.10", port));
    ASSERT_EQ(found.state, Translation::State::kTranslated);
    EXPECT_EQ(found.server, port % 2 == 0 ? Ip("10.0.1.1") : Ip("10.0.1.2"));
    EXPECT_EQ(found.server_port, 8'080);
    EXPECT_EQ(found.client, Ip("10.0.0.1"));
  }
  EXPECT_EQ(tracking_.asked, 10);
  EXPECT_EQ(tracking_.thorough, 1) << "new namespaces are looked for once per destination";
}

// Rules may ask for the user, for a mark or for chance.
TEST_F(TranslationTableTest, OneConnectionThatIsNotTranslatedSaysNothingOfTheNext) {
  tracking_.answer = [](const ClientEnds& ends, Followed& followed) {
    if (ends.client_port % 2 == 0) followed.server = Ip("10.0.1.1");
    return true;
  };
  for (uint16_t port = 1; port < 100; ++port) {
    const auto state = table_.Find(To("10.0.2.1", port)).state;
    ASSERT_EQ(state, port % 2 == 0 ? Translation::State::kTranslated : Translation::State::kNone);
  }
  EXPECT_EQ(tracking_.asked, 99);
}

TEST_F(TranslationTableTest, BeyondTheSmallerBudgetAProcessIsTakenToGoOn) {
  TranslationTable table(tracking_, clock_,
                         {.questions_per_second = 1'000,
                          .questions_at_once = 1'000,
                          .confirmations_per_second = 10,
                          .confirmations_at_once = 10});
  tracking_.answer = TwoBackends;
  const uint64_t before = Read(Metric::agent_nat_assumed);
  for (uint16_t port = 1; port < 100; ++port) {
    EXPECT_EQ(table.Find(To("10.0.2.1", port)).state, Translation::State::kNone);
  }
  EXPECT_EQ(tracking_.asked, 11) << "its first, and ten more";
  EXPECT_EQ(Read(Metric::agent_nat_assumed), before + 88);
  ClientEnds another = To("10.0.2.1");
  another.pid = 43;
  (void)table.Find(another);
  EXPECT_EQ(tracking_.asked, 12) << "nothing is known of another process";
  clock_.Advance(6 * kSecond);
  table.RoundEnds();
  (void)table.Find(To("10.0.2.1"));
  EXPECT_EQ(tracking_.asked, 13) << "and what was known is old";
  ClientEnds other_namespace = To("10.0.2.1");
  other_namespace.netns = 8;
  (void)table.Find(other_namespace);
  EXPECT_EQ(tracking_.asked, 14) << "its own rules may translate";
}

TEST_F(TranslationTableTest, MasqueradeHoldsForTheProcessBeyondTheSmallerBudget) {
  TranslationTable table(tracking_, clock_, {.confirmations_per_second = 0, .confirmations_at_once = 0});
  tracking_.answer = [](const ClientEnds&, Followed& followed) {
    followed.client = Ip("192.0.2.1");
    return true;
  };
  for (uint16_t port = 1; port < 100; ++port) {
    const Translation found = table.Find(To("198.51.100.7", port));
    ASSERT_EQ(found.state, Translation::State::kTranslated);
    EXPECT_EQ(found.client, Ip("192.0.2.1"));
    EXPECT_EQ(found.server, Ip("198.51.100.7"));
    EXPECT_EQ(found.server_port, 80);
  }
  EXPECT_EQ(tracking_.asked, 1);
}

TEST_F(TranslationTableTest, WhatHasMadeRoomForALaterConnectionIsUnknown) {
  tracking_.answer = [](const ClientEnds&, Followed& followed) {
    followed.is_another = true;
    return false;
  };
  const uint64_t before = Read(Metric::agent_nat_unknown);
  ClientEnds over = To("10.96.0.10");
  over.last = true;
  EXPECT_EQ(table_.Find(over).state, Translation::State::kNone);
  EXPECT_EQ(Read(Metric::agent_nat_unknown), before + 1);
  over.succeeded = true;
  EXPECT_EQ(table_.Find(over).state, Translation::State::kNone);
  EXPECT_EQ(Read(Metric::agent_nat_unknown), before + 2);
  EXPECT_EQ(tracking_.asked, 1) << "the answer would be the later one's";
}

// Its first packet may not have come to the namespace that translates, though others track it already.
TEST_F(TranslationTableTest, AnAttemptIsAskedForWhenItIsAnsweredOrOver) {
  ClientEnds attempt = To("10.96.0.10");
  attempt.answered = false;
  tracking_.active = false;
  EXPECT_EQ(table_.Find(attempt).state, Translation::State::kLater);
  tracking_.active = true;
  EXPECT_EQ(table_.Find(attempt).state, Translation::State::kLater);
  EXPECT_EQ(tracking_.asked, 0);
  tracking_.answer = TwoBackends;
  attempt.answered = true;
  EXPECT_EQ(table_.Find(attempt).state, Translation::State::kTranslated);
}

TEST_F(TranslationTableTest, AnAttemptThatIsOverIsTranslatedButSettlesNothing) {
  ClientEnds attempt = To("10.96.0.10");
  attempt.answered = false;
  attempt.last = true;
  tracking_.answer = [](const ClientEnds&, Followed&) { return true; };
  EXPECT_EQ(table_.Find(attempt).state, Translation::State::kNone);
  tracking_.answer = TwoBackends;
  EXPECT_EQ(table_.Find(attempt).state, Translation::State::kTranslated) << "a silent backend is named";
}

TEST_F(TranslationTableTest, AnEntryThatIsGoneIsCounted) {
  tracking_.answer = TwoBackends;
  (void)table_.Find(To("10.96.0.10"));
  tracking_.answer = nullptr;
  const uint64_t before = Read(Metric::agent_nat_unknown);
  EXPECT_EQ(table_.Find(To("10.96.0.10", 1)).state, Translation::State::kNone);
  EXPECT_EQ(Read(Metric::agent_nat_unknown), before + 1);
  tracking_.answer = TwoBackends;
  EXPECT_EQ(table_.Find(To("10.96.0.10", 2)).state, Translation::State::kTranslated) << "it stays a translated one";
}

TEST_F(TranslationTableTest, BeyondTheBudgetConnectionsWaitAndLostOnesAreCounted) {
  TranslationTable table(tracking_, clock_, {.destinations = 100, .questions_per_second = 10, .questions_at_once = 20});
  tracking_.answer = TwoBackends;
  const uint64_t before = Read(Metric::agent_nat_unknown);
  int translated = 0;
  int later = 0;
  for (uint16_t port = 0; port < 50; ++port) {
    const auto state = table.Find(To("10.96.0.10", port)).state;
    translated += state == Translation::State::kTranslated ? 1 : 0;
    later += state == Translation::State::kLater ? 1 : 0;
  }
  EXPECT_EQ(translated, 20);
  EXPECT_EQ(later, 30);
  EXPECT_EQ(Read(Metric::agent_nat_unknown), before) << "they are asked for again";
  ClientEnds closed = To("10.96.0.10");
  closed.last = true;
  EXPECT_EQ(table.Find(closed).state, Translation::State::kNone);
  EXPECT_EQ(Read(Metric::agent_nat_unknown), before + 1);
  clock_.Advance(kSecond);
  for (uint16_t port = 0; port < 50; ++port) {
    translated += table.Find(To("10.96.0.10", port)).state == Translation::State::kTranslated ? 1 : 0;
  }
  EXPECT_EQ(translated, 30);
}

TEST_F(TranslationTableTest, RemembersABoundedNumberOfDestinations) {
  TranslationTable table(tracking_, clock_,
                         {.destinations = 2, .confirmations_per_second = 0, .confirmations_at_once = 0});
  tracking_.answer = TwoBackends;
  for (const char* server : {"10.0.2.1", "10.0.2.2", "10.0.2.3", "10.0.2.3"}) (void)table.Find(To(server));
  EXPECT_EQ(tracking_.asked, 3);
  (void)table.Find(To("10.0.2.1"));
  EXPECT_EQ(tracking_.asked, 4) << "forgotten";
}

}  // namespace
}  // namespace weir::agent::nat
