// For tests: a store in a directory of its own, random rows, and a naive implementation of Query() to hold the
// real one against.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "store/store.h"

namespace weir::store {

// A new directory, removed with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class StoreTest : public ::testing::Test {
 protected:
  // Skips, saying so, where there is no libchdb.
  void SetUp() override;

  void Reopen(Retention retention = {}, uint64_t split_from_rows = 0, const Clock* clock = nullptr);
  void Close() { store_.reset(); }
  Store& store() { return *store_; }
  const std::filesystem::path& directory() const { return directory_.path(); }

 private:
  TemporaryDirectory directory_;  // outlives the store
  std::unique_ptr<Store> store_;
};

// Texts that break careless quoting, parsing and printing.
const std::vector<std::string>& HostileTexts();

// Few distinct values per dimension, so that groups have many rows; all kinds of measures, zeros included.
class RandomRows {
 public:
  explicit RandomRows(uint32_t seed) : random_(seed) {}
  // Starts in [from, to).
  StoredRow Row(UnixMillis from, UnixMillis to);
  std::vector<StoredRow> Rows(size_t count, UnixMillis from, UnixMillis to);
  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>(random_() % bound); }

 private:
  model::EntityRef RandomEntity(bool client);
  void SetAttributes(model::Entity& entity, bool client);

  std::mt19937_64 random_;
  std::vector<model::EntityRef> clients_;
  std::vector<model::EntityRef> servers_;
};

// The rows as they are known now: each end as the highest version any of them has of it.
std::vector<model::FlowRow> WithNewestNames(std::vector<model::FlowRow> rows);

// Column -> cell as the answer should have it.
struct NaiveAnswer {
  std::vector<model::FlowRow> rows;  // aggregated, in the order of the answer
  model::FlowRow totals;
  uint64_t groups = 0;
};

// `row_filter` and `group_filter` are the parts of query.filter on dimensions and on measures.
NaiveAnswer NaiveQuery(const std::vector<model::FlowRow>& rows, const FlowQuery& query, int64_t step_ms,
                       const model::Filter& row_filter, const model::Filter& group_filter);

// Fails the test, naming row and column, where the answer is not the expected one.
void ExpectAnswer(const FlowResult& actual, const NaiveAnswer& expected, const FlowQuery& query);

}  // namespace weir::store
