// Every kind of question, at every resolution and state of roll-up, against the naive implementation.
#include <fmt/format.h>

#include <array>
#include <map>
#include <set>

#include "model/row_edit.h"
#include "store/flow_hash.h"
#include "store/schema.h"
#include "store/store_fixture.h"

namespace weir::store {
namespace {

using model::Column;
using model::FindColumn;
using model::FlowRow;

constexpr UnixMillis kBegin = 1'764'000'000'000;  // a whole minute, not a whole hour
constexpr int64_t kMinute = 60'000;
constexpr int64_t kHour = 60 * kMinute;

// A filter whose two parts the naive implementation is told.
struct SplitFilter {
  std::string rows;
  std::string groups;
  std::string text() const {
    return rows.empty() ? groups : groups.empty() ? rows : fmt::format("({}) and ({})", rows, groups);
  }
};

const std::vector<SplitFilter>& Filters() {
  static const std::vector<SplitFilter> filters{
      {"", ""},
      {"server_port = 1000", ""},
      {"client_address in 10.0.0.0/8 or server_address = fd00::1", ""},
      {"not (process = nginx and port in (0, 2000)) and client_netns >= 1000", ""},
      {"client_process ~ 'i.*s|^say'", ""},
      {"process !~ '^.$' and address != 203.0.113.0/24", ""},
      {"client_process = 'tab\\tline\\nreturn\\r' or client_process = 'nul\\x00inside'", ""},
      {"client_process ~ 'tab.line.return' or client_process in (\"it's\", 'back\\\\slash\\\\')", ""},
      {"", "bytes > 2M"},
      {"", "rtt_p99_us > 20ms or retransmit_percent < 50%"},
      {"", "rtt_avg_us < 1s and not connect_max_us != 5"},
      {"server_port > 0", "reported_by = both and connections_open >= 10"},
      {"", "not (rtt_min_us < 10 or server_rtt_max_us > 900ms)"},
      {"locality in (unknown, same_node, internet)", ""},
      {"locality != private and (pod = nginx or server_service = nginx)", "bytes > 1"},
      {"namespace = nginx or client_workload = '' and server_zone != \"it's\"", ""},
      {"unit = nginx", "reported_by ~ '^(client|server)$' or timeouts = 0"},
      {"server_port = 77", ""},
  };
  return filters;
}

const std::vector<std::vector<std::string_view>>& Groupings() {
  static const std::vector<std::vector<std::string_view>> groupings{
      {},
      {"server_port"},
      {"client_process"},
      {"client_address", "server_address", "server_port"},
      {"client_node", "client_netns", "locality", "protocol"},
      {"client_namespace", "server_namespace", "server_service"},
  };
  return groupings;
}

class QueryTest : public StoreTest {
 protected:
  void Insert(const std::vector<StoredRow>& rows) {
    const Status status = store().Insert(rows);
    ASSERT_TRUE(status.ok()) << status.message();
    for (const StoredRow& stored : rows) held_.push_back(stored.row);
  }

  void Maintain(UnixMillis now) {
    const Status status = store().Maintain(now);
    ASSERT_TRUE(status.ok()) << status.message();
  }

  // Asks, and compares with the naive answer at the resolution that was chosen.
  void Check(FlowQuery query, const SplitFilter& filter, std::string_view resolution) {
    SCOPED_TRACE(fmt::format("filter '{}', {} group columns, bucket {}, limit {}", filter.text(), query.group_by.size(),
                             query.bucket_ms, query.limit));
    query.filter = *model::Filter::Parse(filter.text());
    const Result<FlowResult> result = store().Query(query);
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ(result->resolution, resolution);
    const auto level = std::find_if(kLevelTable.begin(), kLevelTable.end(),
                                    [&](const Level& candidate) { return candidate.resolution == result->resolution; });
    ExpectAnswer(*result,
                 NaiveQuery(WithNewestNames(held_), query, level->step_ms, *model::Filter::Parse(filter.rows),
                            *model::Filter::Parse(filter.groups)),
                 query);
  }

  // A choice of questions over the range, different ones on every call.
  void CheckMany(TimeRange range, std::string_view resolution, int64_t bucket_ms) {
    SCOPED_TRACE(fmt::format("range of {} ms at {}", range.to - range.from, resolution));
    static const std::array<std::string_view, 5> sorts{"bytes", "connections_opened", "server_port", "end",
                                                       "client_rtt_max_us"};
    for (int i = 0; i < 3; ++i) {
      FlowQuery query;
      query.range = range;
      for (const std::string_view name : Groupings()[random_.Below(6)]) query.group_by.push_back(FindColumn(name));
      if (random_.Below(2) == 0) {
        const Column* column = FindColumn(sorts[random_.Below(5)]);
        const bool grouped = std::find(query.group_by.begin(), query.group_by.end(), column) != query.group_by.end();
        if (!column->groupable() || grouped) query.sort.push_back({column, random_.Below(2) == 0});
      }
      const bool by_value =
          std::any_of(query.sort.begin(), query.sort.end(), [](const SortKey& key) { return key.column->groupable(); });
      query.by_flow = !by_value && random_.Below(3) == 0;
      query.totals = random_.Below(4) != 0;
      query.limit = random_.Below(2) == 0 ? 1000 : 1 + random_.Below(5);
      query.bucket_ms = random_.Below(3) == 0 ? bucket_ms : 0;
      if (random_.Below(3) == 0) {
        auto& groups = query.filter_group_by.emplace();
        for (const std::string_view name : Groupings()[random_.Below(6)]) groups.push_back(FindColumn(name));
      }
      if (random_.Below(3) == 0)
        query.columns = {FindColumn("bytes"), FindColumn("rtt_p90_us"), FindColumn("reported_by")};
      Check(query, Filters()[random_.Below(static_cast<uint32_t>(Filters().size()))], resolution);
      if (HasFailure()) return;
    }
  }

  void CheckAllResolutions() {
    CheckMany({kBegin, kBegin + kHour}, "raw", 7'000);
    CheckMany({kBegin + 12'345, kBegin + 34 * kMinute + 1}, "raw", 60'000);
    CheckMany({kBegin + 15'001, kBegin + 2 * kHour}, "10s", 30'000);
    CheckMany({kBegin - 8 * kHour, kBegin + 45 * kMinute + 30'001}, "1m", 5 * kMinute);
    CheckMany({kBegin - 8 * 24 * kHour, kBegin + 3 * kHour}, "1h", kHour);
  }

  const uint32_t seed_ =
      GTEST_FLAG_GET(random_seed) != 0 ? static_cast<uint32_t>(GTEST_FLAG_GET(random_seed)) : 20261124;
  RandomRows random_{seed_};
  std::vector<FlowRow> held_;
};

// Inserts, late rows and roll-ups interleaved: after each step every question has the naive answer, so rows
// are counted once whether none, some or all levels have them.
TEST_F(QueryTest, EveryAnswerIsTheNaiveOneInEveryStateOfRollUp) {
  UnixMillis now = kBegin + 10 * kHour;
  for (int round = 0; round < 4; ++round) {
    SCOPED_TRACE(fmt::format("round {}; repeat with --gtest_random_seed={}", round, seed_));
    Insert(random_.Rows(400, kBegin + round * 20 * kMinute, kBegin + (round + 2) * 20 * kMinute));
    Insert(random_.Rows(20, kBegin, kBegin + 3 * kHour));  // some of them late
    CheckAllResolutions();
    if (HasFailure()) return;
    now += round % 3 == 0 ? 10'000 : round % 3 == 1 ? 60'000 : 600'000;
    Maintain(now);
    CheckAllResolutions();
    if (HasFailure()) return;
    // From here on ranges are read whole, or with their middle from roll-ups: the answers must not tell.
    Reopen({}, round % 2 == 0 ? ~0ULL : 0);
  }
}

TEST_F(QueryTest, EmptyStoreAnswersEmpty) {
  FlowQuery query;
  query.range = {kBegin, kBegin + kHour};
  for (const int64_t bucket : {0, 60'000}) {
    query.bucket_ms = bucket;
    const Result<FlowResult> result = store().Query(query);
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_TRUE(result->rows.empty());
    EXPECT_EQ(result->groups, 0U);
    EXPECT_EQ(result->oldest, 0);
    EXPECT_EQ(result->totals.size(), result->columns.size());
  }
}

TEST_F(QueryTest, HostileTextsComeBackUnchanged) {
  RandomRows random(1);
  for (const std::string& text : HostileTexts()) {
    StoredRow stored = random.Row(kBegin, kBegin + kMinute);
    model::SetAttribute(stored.row, "client_process", text);
    model::SetAttribute(stored.row, "server_container", text);
    stored.client_agent = text;
    stored.client_sequence = text.size() + 1;
    Insert({stored});
  }
  FlowQuery query;
  query.range = {kBegin, kBegin + kMinute};
  query.group_by = {FindColumn("client_process"), FindColumn("server_container")};
  Check(query, {}, "raw");
  const auto watermarks = store().Watermarks();
  ASSERT_TRUE(watermarks.ok());
  for (const std::string& text : HostileTexts()) {
    if (text.empty()) continue;
    EXPECT_EQ(watermarks->at(text), text.size() + 1) << text;
  }
}

TEST_F(QueryTest, TheLargestNumbersSurvive) {
  StoredRow stored;
  model::VisitStored(stored.row, [](const Column& column, auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_unsigned_v<Value>) {
      if (!column.groupable()) value = std::numeric_limits<Value>::max();
    }
  });
  stored.row.start = kBegin;
  stored.row.end = kBegin + 1;
  stored.row.server_port = 65535;
  model::SetAttribute(stored.row, "client_netns", 0xffffffff);
  stored.row.client_rtt_histogram.AddBucket(63, 0xffffffff);
  stored.server_agent = "agent";
  stored.server_sequence = ~0ULL;
  Insert({stored});
  FlowQuery query;
  query.group_by = {FindColumn("server_port"), FindColumn("client_netns")};
  query.range = {kBegin, kBegin + kMinute};
  Check(query, {"", "bytes_to_server > 18e18"}, "raw");
  Maintain(kBegin + kHour);
  query.range = {kBegin - 9 * 24 * kHour, kBegin + kMinute};
  Check(query, {"", "rtt_p50_us > 1h"}, "1h");
  EXPECT_EQ(store().Watermarks()->at("agent"), ~0ULL);
}

TEST_F(QueryTest, RefusesWhatCannotBeAsked) {
  const auto problem = [&](const std::function<void(FlowQuery&)>& spoil) {
    FlowQuery query;
    query.range = {kBegin, kBegin + kHour};
    query.group_by = {FindColumn("server_port")};
    spoil(query);
    const Result<FlowResult> result = store().Query(query);
    EXPECT_EQ(result.status().code(), Code::kInvalid);
    return result.status().message();
  };
  EXPECT_NE(problem([](FlowQuery& q) { q.range.to = q.range.from; }).find("range"), std::string::npos);
  EXPECT_NE(problem([](FlowQuery& q) { q.limit = 0; }).find("limit"), std::string::npos);
  EXPECT_NE(problem([](FlowQuery& q) { q.limit = 100'001; }).find("limit"), std::string::npos);
  EXPECT_NE(problem([](FlowQuery& q) { q.bucket_ms = -1; }).find("step"), std::string::npos);
  EXPECT_NE(problem([](FlowQuery& q) { q.bucket_ms = 1; }).find("longer step"), std::string::npos);
  EXPECT_NE(problem([](FlowQuery& q) { q.group_by = {FindColumn("bytes")}; }).find("bytes"), std::string::npos);
  EXPECT_NE(problem([](FlowQuery& q) { q.group_by = {nullptr}; }).find("unknown"), std::string::npos);
  EXPECT_NE(problem([](FlowQuery& q) { q.group_by.push_back(q.group_by[0]); }).find("twice"), std::string::npos);
  EXPECT_NE(problem([](FlowQuery& q) {
              q.sort = {{FindColumn("locality"), true}};
            }).find("locality"),
            std::string::npos);
  EXPECT_NE(problem([](FlowQuery& q) { q.sort = {{nullptr, true}}; }).find("unknown"), std::string::npos);
  EXPECT_NE(problem([](FlowQuery& q) { q.columns = {FindColumn("protocol")}; }).find("protocol"), std::string::npos);
  EXPECT_NE(problem([](FlowQuery& q) {
              q.filter_group_by = {FindColumn("bytes")};
              q.filter = *model::Filter::Parse("bytes > 5");
            }).find("bytes cannot be grouped by"),
            std::string::npos);
  const std::string mixed =
      problem([](FlowQuery& q) { q.filter = *model::Filter::Parse("bytes > 5 or client_process = a"); });
  EXPECT_NE(mixed.find("add client_process to group_by"), std::string::npos) << mixed;
}

TEST_F(QueryTest, MixedClausesWorkOnGroupedDimensions) {
  Insert(random_.Rows(200, kBegin, kBegin + kHour));
  FlowQuery query;
  query.range = {kBegin, kBegin + kHour};
  query.group_by = {FindColumn("server_port"), FindColumn("client_address")};
  Check(query, {"", "bytes < 10M or (server_port = 1000 and not client_address in 10.0.0.0/8)"}, "raw");
}

// A chart above a table counts what the table's rows count, whatever the chart itself is grouped by.
TEST_F(QueryTest, MeasuresChooseAmongOtherGroupsThanThoseOfTheAnswer) {
  Insert(random_.Rows(300, kBegin, kBegin + kHour));
  FlowQuery query;
  query.range = {kBegin, kBegin + kHour};
  for (const int64_t bucket : {int64_t{0}, kMinute}) {
    query.bucket_ms = bucket;
    for (const SplitFilter& filter : Filters()) {
      query.filter_group_by = {};
      query.group_by = {FindColumn("server_port")};
      Check(query, filter, "raw");
      query.filter_group_by = {FindColumn("client_process"), FindColumn("server_address")};
      Check(query, filter, "raw");
      query.group_by = {};
      Check(query, filter, "raw");
    }
  }
  query.filter_group_by = {FindColumn("client_process")};
  Check(query, {"", "bytes > 9M or client_process = nginx"}, "raw");
}

// A few flows shown of many, with totals over all, are asked for in two steps.
TEST_F(QueryTest, FewOfManyFlowsHaveTheTotalsOfAll) {
  Insert(random_.Rows(300, kBegin, kBegin + kHour));
  StoredRow again;
  again.row = held_[7];
  Insert(std::vector<StoredRow>(300, again));  // one flow with many rows
  FlowQuery query;
  query.range = {kBegin, kBegin + kHour};
  for (const uint32_t limit : {1U, 3U, 100U, 1'000U, 1'001U}) {
    query.limit = limit;
    for (const std::string_view sort : {"bytes", "start", "rtt_p99_us"}) {
      query.sort = {{FindColumn(sort), limit != 3}};
      query.by_flow = false;
      query.group_by = {};
      Check(query, {}, "raw");
      query.by_flow = true;
      query.group_by = {FindColumn("client_process"), FindColumn("server_address")};
      Check(query, {"server_port > 0", ""}, "raw");
      Check(query, {"server_port > 0", "bytes > 2M"}, "raw");
    }
  }
}

TEST_F(QueryTest, RttOfGroupsIsThatOfTheirFlowsRolledUpOrNot) {
  Insert(random_.Rows(400, kBegin, kBegin + kHour));
  FlowGroups groups;
  std::map<uint32_t, RttDistribution> expected;
  for (const FlowRow& row : held_) {
    const uint64_t flow = FlowHash(row);
    const auto group = static_cast<uint32_t>(flow % 4);
    if (group == 3) continue;  // not asked about
    if (std::find(groups.flows.begin(), groups.flows.end(), flow) == groups.flows.end()) {
      groups.flows.push_back(flow);
      groups.groups.push_back(group);
    }
    expected[group].client.Merge(row.client_rtt_histogram);
    expected[group].server.Merge(row.server_rtt_histogram);
  }
  FlowQuery everything;
  everything.range = {kBegin, kBegin + kHour};
  for (int round = 0; round < 2; ++round) {
    const auto actual = store().RttOfGroups(everything, groups);
    ASSERT_TRUE(actual.ok()) << actual.status().message();
    ASSERT_EQ(actual->size(), 3U);
    for (const auto& [group, rtt] : *actual) {
      EXPECT_EQ(rtt.client, expected[group].client);
      EXPECT_EQ(rtt.server, expected[group].server);
    }
    Maintain(kBegin + 10 * kHour);
  }
  EXPECT_TRUE(store().RttOfGroups(everything, {})->empty());
}

TEST_F(QueryTest, RttOfGroupsCountsEveryRowOfAFlow) {
  StoredRow stored = random_.Row(kBegin, kBegin + kMinute);
  stored.row.client_rtt_histogram = {};
  stored.row.client_rtt_histogram.AddBucket(7, 1);
  std::vector<StoredRow> rows(50, stored);
  for (size_t i = 0; i < rows.size(); ++i) rows[i].row.start = kBegin + static_cast<int64_t>(i) * 1'000;
  Insert(rows);
  FlowQuery query;
  query.range = {kBegin, kBegin + kHour};
  for (const bool by_level : {false, true}) {
    if (by_level) query.fold = model::LevelFold{.level = model::Level::kNode};
    const Result<FlowResult> result = store().Query(query);
    ASSERT_EQ(result->flows.size(), 1U);
    const auto rtt = store().RttOfGroups(query, {{result->flows[0]}, {0}});
    ASSERT_TRUE(rtt.ok()) << rtt.status().message();
    ASSERT_EQ(rtt->size(), 1U);
    EXPECT_EQ(rtt->at(0).client.total(), 50U) << by_level;
  }
}

// The rows of every level are those of flows folded one by one.
TEST_F(QueryTest, FoldedAnswersAreThoseOfFoldedRows) {
  std::vector<StoredRow> rows = random_.Rows(400, kBegin, kBegin + kHour);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i % 3 == 0)
      model::SetAttribute(rows[i].row, i % 2 == 0 ? "client_kind" : "server_kind", std::string("address"));
    if (i % 5 == 0) model::SetAttribute(rows[i].row, "server_kind", std::string("address"));
  }
  Insert(rows);
  const SplitFilter filter{"server_port > 0 and locality != same_pod", ""};
  for (size_t i = 0; i < model::kLevels.size(); ++i) {
    const model::LevelFold fold{static_cast<model::Level>(i), i % 2 == 0, i / 2 % 2 == 0};
    SCOPED_TRACE(fmt::format("level {}, internet {}, zones {}", model::NameOf(fold.level), fold.fold_internet,
                             fold.keeps_zones));
    FlowQuery query;
    query.range = {kBegin, kBegin + kHour};
    query.fold = fold;
    query.filter = *model::Filter::Parse(filter.text());
    // Of the level's columns those that tell its things apart: the question stays short.
    for (const Column* column : model::ColumnsOf(fold.level)) {
      static const std::set<std::string_view> kNames{"kind",    "namespace", "workload", "pod",
                                                     "process", "node",      "zone",     "address"};
      if (kNames.contains(column->name.substr(7))) query.group_by.push_back(column);
    }
    query.totals = i % 3 == 0;
    query.limit = i % 2 == 0 ? 1'000 : 7;
    query.columns = {FindColumn("bytes"), FindColumn("failed_refused")};
    std::vector<FlowRow> folded;
    for (FlowRow& row : WithNewestNames(held_)) {
      if (query.filter.Matches(row)) folded.push_back(Folded(row, fold));
    }
    const Result<FlowResult> result = store().Query(query);
    ASSERT_TRUE(result.ok()) << result.status().message();
    ExpectAnswer(*result, NaiveQuery(folded, query, 1, {}, {}), query);
    EXPECT_EQ(result->flows.size(), result->rows.size());
    if (HasFailure()) return;
  }
  FlowQuery whole;  // what is computed from both ends is that of the ends before
  whole.range = {kBegin, kBegin + kHour};
  whole.group_by = {FindColumn("locality")};
  const NaiveAnswer expected = NaiveQuery(WithNewestNames(held_), whole, 1, {}, {});
  whole.fold = model::LevelFold{.level = model::Level::kNamespace};
  ExpectAnswer(*store().Query(whole), expected, whole);
}

TEST_F(QueryTest, RttOfFoldedGroupsIsThatOfTheRowsInThem) {
  Insert(random_.Rows(300, kBegin, kBegin + kHour));
  FlowQuery query;
  query.range = {kBegin, kBegin + kHour};
  query.fold = model::LevelFold{.level = model::Level::kNamespace};
  query.group_by = {FindColumn("client_namespace"), FindColumn("server_port")};
  query.filter = *model::Filter::Parse("server_port >= 1000");
  const Result<FlowResult> result = store().Query(query);
  ASSERT_TRUE(result.ok()) << result.status().message();
  FlowGroups groups;
  std::map<std::pair<std::string, uint64_t>, uint32_t> numbers;
  for (size_t i = 0; i < result->rows.size(); ++i) {
    groups.flows.push_back(result->flows[i]);
    groups.groups.push_back(static_cast<uint32_t>(i));
    numbers[{result->rows[i][0].text, result->rows[i][1].exact}] = static_cast<uint32_t>(i);
  }
  std::map<uint32_t, RttDistribution> expected;
  for (const FlowRow& row : WithNewestNames(held_)) {
    if (row.server_port < 1000) continue;
    const std::string name = Of(Folded(row, *query.fold).client).namespace_;
    RttDistribution& rtt = expected[numbers.at({name, row.server_port})];
    rtt.client.Merge(row.client_rtt_histogram);
    rtt.server.Merge(row.server_rtt_histogram);
  }
  const auto actual = store().RttOfGroups(query, groups);
  ASSERT_TRUE(actual.ok()) << actual.status().message();
  ASSERT_EQ(actual->size(), expected.size());
  for (const auto& [group, rtt] : *actual) {
    EXPECT_EQ(rtt.client, expected[group].client) << group;
    EXPECT_EQ(rtt.server, expected[group].server) << group;
  }
}

TEST_F(QueryTest, KnowsWhetherAnyEndIsInANamespace) {
  StoredRow stored = random_.Row(kBegin, kBegin + kMinute);
  stored.row.client = stored.row.server = stored.row.service = nullptr;
  Insert({stored});
  EXPECT_FALSE(*store().KnowsNamespaces({kBegin, kBegin + kHour}));
  model::SetAttribute(stored.row, "server_namespace", std::string("shop"));
  Insert({stored});
  EXPECT_TRUE(*store().KnowsNamespaces({kBegin, kBegin + kHour}));
}

TEST_F(QueryTest, EndsAreFoundByWhatTheyAreCalled) {
  StoredRow stored = random_.Row(kBegin, kBegin + kMinute);
  stored.row.client = stored.row.server = stored.row.service = nullptr;
  const std::string hostile = "it's \\ \"web\" -- \n";
  model::SetAttribute(stored.row, "client_pod", hostile);
  model::SetAttribute(stored.row, "client_workload", std::string("web"));
  model::SetAttribute(stored.row, "server_node", std::string("n1"));
  model::SetAttribute(stored.row, "server_process", std::string("redis"));
  Insert({stored});
  const auto called = [&](const std::string& name, uint32_t limit = 10) {
    const auto found = store().EntitiesCalled(name, {kBegin, kBegin + kHour}, limit);
    EXPECT_TRUE(found.ok()) << found.status().message();
    return *found;
  };
  for (const std::string& name : {hostile, std::string("web")}) {
    ASSERT_EQ(called(name).size(), 1U) << name;
    EXPECT_EQ(called(name)[0]->pod, hostile);
  }
  for (const char* name : {"n1", "redis"}) {
    ASSERT_EQ(called(name).size(), 1U) << name;
    EXPECT_EQ(called(name)[0]->process, "redis");
  }
  EXPECT_TRUE(called("we").empty());
  EXPECT_TRUE(called("").empty()) << "what has no name is called nothing";
  EXPECT_TRUE(called("web", 0).empty());

  // Only the name it has now counts.
  auto renamed = std::make_shared<model::Entity>(*stored.row.client);
  renamed->workload = "shop";
  ++renamed->version;
  ASSERT_TRUE(store().Publish({renamed}).ok());
  EXPECT_TRUE(called("web").empty());
  ASSERT_EQ(called("shop").size(), 1U);
}

TEST_F(QueryTest, TheLongestFilterIsAnswered) {
  Insert(random_.Rows(20, kBegin, kBegin + kHour));
  std::string longest = "rtt_p99_us>1";
  while (longest.size() + 16 <= 4096) longest += " or rtt_p99_us>1";
  FlowQuery query;
  query.range = {kBegin, kBegin + kHour};
  query.bucket_ms = kMinute;
  query.limit = 2;
  query.group_by = {FindColumn("server_port")};
  Check(query, {"", longest}, "raw");
}

}  // namespace
}  // namespace weir::store
