#include "store/store_fixture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>
#include <utility>

#include "model/row_edit.h"
#include "store/engine/library.h"
#include "store/flow_hash.h"

namespace weir::store {
namespace {

using model::Column;
using model::ColumnType;
using model::FlowRow;

bool IsText(const Column& column) { return column.type == ColumnType::kString || column.type == ColumnType::kAddress; }

// Order of a column's values as the store has it: addresses by their bytes.
int Compare(const FlowRow& a, const FlowRow& b, const Column& column) {
  if (column.type == ColumnType::kAddress) {
    const auto& left = model::AddressOf(a, column);
    const auto& right = model::AddressOf(b, column);
    return left < right ? -1 : right < left ? 1 : 0;
  }
  if (IsText(column)) return model::TextOf(a, column).compare(model::TextOf(b, column));
  const double left = model::NumberOf(a, column);
  const double right = model::NumberOf(b, column);
  return left < right ? -1 : right < left ? 1 : 0;
}

// A group with nothing in it yet that has the row's dimensions: those it is grouped by are the group's.
FlowRow GroupOf(const FlowRow& row) {
  FlowRow group = row;
  model::VisitStored(group, [&](const Column& column, auto& value) {
    if (!column.groupable()) value = {};
  });
  return group;
}

using Groups = std::map<std::vector<std::string>, FlowRow>;

// What rows are grouped by: values, or the flow, whatever its ends are called.
struct Grouping {
  const std::vector<const Column*>& columns;
  bool by_flow = false;
};

void AddTo(Groups& groups, const FlowRow& row, const Grouping& grouping, std::string bucket) {
  std::vector<std::string> key{std::move(bucket)};
  if (grouping.by_flow) key.push_back(fmt::format("{}", FlowHash(row)));
  for (const Column* column : grouping.by_flow ? std::vector<const Column*>{} : grouping.columns) {
    key.push_back(IsText(*column) ? model::TextOf(row, *column) : fmt::format("{}", model::NumberOf(row, *column)));
  }
  auto [at, fresh] = groups.try_emplace(std::move(key));
  if (fresh) at->second = GroupOf(row);
  model::Accumulate(at->second, row);
}

void Sort(std::vector<FlowRow>& rows, const FlowQuery& query, const std::vector<const Column*>& group_by,
          bool by_bucket, bool by_flow) {
  std::vector<SortKey> keys;
  if (by_bucket) keys.push_back({model::FindColumn("start"), false});
  if (query.sort.empty()) keys.push_back({model::FindColumn("bytes"), true});
  keys.insert(keys.end(), query.sort.begin(), query.sort.end());
  if (!by_flow) {
    for (const Column* column : group_by) keys.push_back({column, false});
  }
  std::sort(rows.begin(), rows.end(), [&](const FlowRow& a, const FlowRow& b) {
    for (const SortKey& key : keys) {
      if (const int order = Compare(a, b, *key.column); order != 0) return key.descending ? order > 0 : order < 0;
    }
    return by_flow && FlowHash(a) < FlowHash(b);
  });
}

void ExpectCell(const Cell& cell, const FlowRow& row, const Column& column) {
  SCOPED_TRACE(column.name);
  ASSERT_EQ(cell.is_text, IsText(column));
  if (IsText(column)) {
    EXPECT_EQ(cell.text, model::TextOf(row, column));
    return;
  }
  const double expected = model::NumberOf(row, column);
  EXPECT_NEAR(cell.number, expected, std::fabs(expected) * 1e-12);
  model::VisitStored(row, [&](const Column& visited, const auto& value) {
    if constexpr (std::is_unsigned_v<std::remove_cvref_t<decltype(value)>>) {
      if (visited.name == column.name) {
        EXPECT_EQ(cell.exact, value);
      }
    }
  });
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "weir-store-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void StoreTest::SetUp() {
  if (const auto library = FindLibrary(""); !library.ok()) {
    GTEST_SKIP() << "NOT TESTED, for want of the storage library: " << library.status().message();
  }
  Reopen();
}

void StoreTest::Reopen(Retention retention, uint64_t split_from_rows, const Clock* clock) {
  Close();
  Result<std::unique_ptr<Store>> opened = OpenEmbedded({directory(), "", retention, split_from_rows, clock});
  ASSERT_TRUE(opened.ok()) << opened.status().message();
  store_ = *std::move(opened);
}

const std::vector<std::string>& HostileTexts() {
  static const std::vector<std::string> texts{
      "",
      "nginx",
      "it's",
      "say \"hi\"",
      "back\\slash\\",
      "'; DROP TABLE weir.flows_raw; --",
      std::string("nul\0inside", 10),
      "tab\tline\nreturn\r",
      "\xf0\x9f\x90\xb3 \xc3\xa4\xe2\x82\xac",
      "{\"json\": [1, 2]}",
      "%s%n\x1b[31m",
      "\\N",
      "/* comment */ -- #",
      std::string(model::kMaxStringBytes, 'x'),
  };
  return texts;
}

void RandomRows::SetAttributes(model::Entity& entity, bool client) {
  model::VisitEntity(entity, [&](model::EntityField field, auto& value) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, std::string>) {
      const bool any_text = client && field == model::EntityField::process;
      if (any_text || Below(4) == 0) value = HostileTexts()[Below(any_text ? 14 : 3)];
    } else {
      value = Below(4) * 1000;
    }
  });
}

// One of some hundred; one in eight is nobody. Now and then one becomes known better, or otherwise.
model::EntityRef RandomRows::RandomEntity(bool client) {
  constexpr size_t kEntities = 150;
  std::vector<model::EntityRef>& entities = client ? clients_ : servers_;
  if (Below(8) == 0) return nullptr;
  if (entities.size() < kEntities) {
    model::Entity entity;
    SetAttributes(entity, client);
    return entities.emplace_back(model::MakeEntity(std::move(entity)));
  }
  model::EntityRef& entity = entities[Below(kEntities)];
  if (Below(16) == 0) {
    model::Entity changed = *entity;
    SetAttributes(changed, client);
    ++changed.version;
    entity = std::make_shared<const model::Entity>(std::move(changed));
  }
  return entity;
}

StoredRow RandomRows::Row(UnixMillis from, UnixMillis to) {
  static const std::array<std::string_view, 4> addresses{"10.0.0.1", "10.1.2.3", "fd00::1", "203.0.113.9"};
  StoredRow stored;
  FlowRow& row = stored.row;
  row.client = RandomEntity(true);
  row.server = RandomEntity(false);
  if (Below(3) == 0) row.service = RandomEntity(false);
  model::VisitStored(row, [&](const Column& column, auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, std::string>) {
      value = HostileTexts()[Below(3)];
    } else if constexpr (std::is_same_v<Value, model::Address>) {
      value = *model::Address::Parse(addresses[Below(4)]);
    } else if constexpr (std::is_same_v<Value, model::Histogram>) {
      for (uint32_t n = Below(4); n > 0; --n) value.AddBucket(Below(64), 1 + Below(100));
    } else if (column.groupable()) {
      value = static_cast<Value>(Below(4) * 1000);
    } else if constexpr (std::is_unsigned_v<Value>) {
      value = Below(3) == 0 ? 0 : static_cast<Value>(Below(1'000'000));
    }
  });
  row.start = from + static_cast<int64_t>(random_() % static_cast<uint64_t>(to - from));
  row.end = row.start + 1 + Below(5000);
  if (Below(2) == 0) row.client_rtt_count = 0;
  if (Below(2) == 0) row.server_rtt_count = 0;
  return stored;
}

std::vector<StoredRow> RandomRows::Rows(size_t count, UnixMillis from, UnixMillis to) {
  std::vector<StoredRow> rows(count);
  for (StoredRow& row : rows) row = Row(from, to);
  return rows;
}

std::vector<FlowRow> WithNewestNames(std::vector<FlowRow> rows) {
  std::map<model::EntityId, model::EntityRef> newest;
  const auto visit_ends = [&](const auto& visit) {
    for (FlowRow& row : rows) {
      for (model::EntityRef* end : {&row.client, &row.server, &row.service}) {
        if (*end != nullptr) visit(*end);
      }
    }
  };
  visit_ends([&](const model::EntityRef& end) {
    model::EntityRef& known = newest[end->id];
    if (known == nullptr || known->version < end->version) known = end;
  });
  visit_ends([&](model::EntityRef& end) { end = newest.at(end->id); });
  return rows;
}

namespace {

// The rows in groups the filter chooses.
std::vector<FlowRow> RowsOfChosen(const std::vector<FlowRow>& rows, const Grouping& grouping,
                                  const model::Filter& filter) {
  Groups groups;
  for (const FlowRow& row : rows) AddTo(groups, row, grouping, "");
  std::vector<FlowRow> chosen;
  for (const FlowRow& row : rows) {
    Groups one;
    AddTo(one, row, grouping, "");
    if (filter.Matches(groups.at(one.begin()->first))) chosen.push_back(row);
  }
  return chosen;
}

}  // namespace

NaiveAnswer NaiveQuery(const std::vector<FlowRow>& rows, const FlowQuery& query, int64_t step_ms,
                       const model::Filter& row_filter, const model::Filter& group_filter) {
  const bool series = query.bucket_ms != 0;
  const bool all_dimensions = query.by_flow || (query.group_by.empty() && !series);
  const auto& group_by = all_dimensions ? DefaultGroup() : query.group_by;
  const bool by_flow =
      group_by.size() == DefaultGroup().size() &&
      std::none_of(query.sort.begin(), query.sort.end(), [](const SortKey& key) { return key.column->groupable(); });
  const auto floored = [](UnixMillis time, int64_t step) { return time / step * step; };
  const UnixMillis from = floored(query.range.from, step_ms);
  const UnixMillis to = floored(query.range.to + step_ms - 1, step_ms);

  std::vector<FlowRow> selected;
  for (FlowRow row : rows) {
    if (row.start < from || row.start >= to || !row_filter.Matches(row)) continue;
    row.start = floored(row.start, step_ms);
    selected.push_back(std::move(row));
  }
  if (query.filter_group_by) {
    const bool flows = query.filter_group_by->empty() || query.filter_group_by->size() == DefaultGroup().size();
    selected = RowsOfChosen(selected, {flows ? DefaultGroup() : *query.filter_group_by, flows}, group_filter);
  }
  const Grouping grouping{group_by, by_flow};
  Groups groups;
  for (const FlowRow& row : selected) AddTo(groups, row, grouping, "");
  NaiveAnswer answer;
  for (const auto& [key, group] : groups) {
    if (!query.filter_group_by && !group_filter.Matches(group)) continue;
    answer.rows.push_back(group);
    model::Accumulate(answer.totals, group);
  }
  answer.groups = answer.rows.size();
  Sort(answer.rows, query, group_by, false, by_flow);
  if (answer.rows.size() > query.limit) answer.rows.resize(query.limit);
  if (!series) return answer;

  Groups shown;
  for (const FlowRow& row : answer.rows) AddTo(shown, row, grouping, "");
  Groups buckets;
  for (FlowRow& row : selected) {
    Groups one;
    AddTo(one, row, grouping, "");
    if (!shown.contains(one.begin()->first)) continue;
    row.start = floored(row.start, query.bucket_ms);
    AddTo(buckets, row, grouping, fmt::format("{}", row.start));
  }
  answer.rows.clear();
  for (const auto& [key, bucket] : buckets) answer.rows.push_back(bucket);
  Sort(answer.rows, query, group_by, true, by_flow);
  return answer;
}

void ExpectAnswer(const FlowResult& actual, const NaiveAnswer& expected, const FlowQuery& query) {
  EXPECT_EQ(actual.groups, expected.groups);
  EXPECT_EQ(actual.groups_left_out, expected.groups > query.limit ? expected.groups - query.limit : 0);
  ASSERT_EQ(actual.rows.size(), expected.rows.size());
  ASSERT_EQ(actual.totals.size(), query.totals ? actual.columns.size() : 0);
  for (size_t i = 0; i < actual.rows.size(); ++i) {
    SCOPED_TRACE(fmt::format("row {}", i));
    ASSERT_EQ(actual.rows[i].size(), actual.columns.size());
    for (size_t j = 0; j < actual.columns.size(); ++j)
      ExpectCell(actual.rows[i][j], expected.rows[i], *actual.columns[j]);
    if (::testing::Test::HasFailure()) return;  // the first wrong row says enough
  }
  SCOPED_TRACE("totals");
  for (size_t j = 0; j < actual.totals.size(); ++j) {
    if (IsText(*actual.columns[j])) {
      EXPECT_EQ(actual.totals[j].text, "");
    } else {
      ExpectCell(actual.totals[j], expected.totals, *actual.columns[j]);
    }
  }
}

}  // namespace weir::store
