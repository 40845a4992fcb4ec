// A store and a server for tests, scripted by hand.
#pragma once

#include <condition_variable>
#include <initializer_list>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/row_edit.h"
#include "server/server.h"
#include "store/store.h"

namespace weir::api {

inline store::Cell Text(std::string text) {
  store::Cell cell;
  cell.is_text = true;
  cell.text = std::move(text);
  return cell;
}
inline store::Cell Number(double number) {
  store::Cell cell;
  cell.number = number;
  cell.exact = number < 0 ? 0 : static_cast<uint64_t>(number);
  return cell;
}
inline store::Cell Exact(uint64_t number) {
  store::Cell cell;
  cell.number = static_cast<double>(number);
  cell.exact = number;
  return cell;
}

// A result with these columns; rows are added by name, what is not named is "" or 0.
class ResultBuilder {
 public:
  explicit ResultBuilder(std::initializer_list<std::string_view> columns) {
    for (const std::string_view name : columns) result.columns.push_back(model::FindColumn(name));
    result.resolution = "raw";
    result.oldest = 1'700'000'000'000;
    result.elapsed_ms = 1.5;
  }
  explicit ResultBuilder(const store::FlowQuery& query) : ResultBuilder({}) {
    result.columns = query.group_by;
    result.columns.insert(result.columns.end(), query.columns.begin(), query.columns.end());
  }
  ResultBuilder& Row(const std::map<std::string_view, store::Cell>& cells) {
    result.rows.push_back(Cells(cells));
    ++result.groups;
    return *this;
  }
  ResultBuilder& Totals(const std::map<std::string_view, store::Cell>& cells) {
    result.totals = Cells(cells);
    return *this;
  }
  store::FlowResult result;

 private:
  std::vector<store::Cell> Cells(const std::map<std::string_view, store::Cell>& cells) const {
    std::vector<store::Cell> row;
    for (const model::Column* column : result.columns) {
      const bool text = column->type == model::ColumnType::kString || column->type == model::ColumnType::kAddress;
      const auto found = cells.find(column->name);
      row.push_back(found != cells.end() ? found->second : text ? Text("") : Number(0));
    }
    return row;
  }
};

// The same answer with whole ends in the place of the cells that name their attributes.
inline store::FlowResult WithWholeEnds(const store::FlowResult& cells) {
  store::FlowResult whole = cells;
  std::erase_if(whole.columns, [](const model::Column* column) { return column->of_entity(); });
  std::map<model::EntityId, model::EntityRef> shared;
  for (auto& row : whole.rows) {
    model::FlowRow flow;
    std::vector<store::Cell> others;
    for (size_t i = 0; i < row.size(); ++i) {
      const model::Column& column = *cells.columns[i];
      if (!column.of_entity()) {
        others.push_back(row[i]);
      } else if (row[i].is_text) {
        model::SetAttribute(flow, column.name, row[i].text);
      } else {
        model::SetAttribute(flow, column.name, static_cast<uint32_t>(row[i].exact));
      }
    }
    for (model::EntityRef* end : {&flow.client, &flow.server, &flow.service}) {
      if (*end != nullptr) *end = shared.try_emplace((*end)->id, *end).first->second;
    }
    whole.ends.push_back({flow.client, flow.server, flow.service});
    row = std::move(others);
  }
  return whole;
}

class FakeNodeStore final : public store::NodeStore {
 public:
  Status Insert(const std::vector<store::NodeBatch>&) override { return Status::Ok(); }
  Result<store::NodeTotals> Totals(const store::NodeTotalsQuery&) override { return totals; }
  Result<store::NodeSeries> Series(const store::NodeSeriesQuery& query) override {
    return store::NodeSeries{query.step_ms, {}};
  }
  Result<std::vector<store::StoredRateWindow>> RateWindows(const store::TimeRange&, const std::string&,
                                                           uint32_t limit) override {
    return std::vector<store::StoredRateWindow>(windows.begin(),
                                                windows.begin() + std::min<ptrdiff_t>(limit, std::ssize(windows)));
  }
  std::vector<store::StoredRateWindow> windows;
  Result<store::NodeTotals> totals = store::NodeTotals{};
};

class FakeStore final : public store::Store {
 public:
  Status Insert(const std::vector<store::StoredRow>&) override { return Status::Ok(); }
  Result<std::map<std::string, uint64_t>> Watermarks() override { return std::map<std::string, uint64_t>{}; }
  Result<store::FlowResult> Query(const store::FlowQuery& query) override {
    std::unique_lock lock(mutex);
    ++questions;
    changed.wait(lock, [this] { return !slow_questions; });
    last_query = query;
    return answer;
  }
  Result<std::map<uint32_t, store::RttDistribution>> RttOfGroups(const store::FlowQuery&,
                                                                 const store::FlowGroups&) override {
    return std::map<uint32_t, store::RttDistribution>{};
  }
  Result<bool> KnowsNamespaces(const store::TimeRange&) override { return knows_namespaces; }
  Status Maintain(UnixMillis) override { return Status::Ok(); }
  Result<store::StoreStatus> GetStatus() override {
    std::unique_lock lock(mutex);
    ++status_questions;
    changed.wait(lock, [this] { return !slow_status; });
    return status;
  }
  // Changes what is answered, while others may be asking.
  template <typename Change>
  void Set(Change change) {
    const std::lock_guard lock(mutex);
    change();
  }
  template <typename T>
  T Get(T FakeStore::*member) {
    const std::lock_guard lock(mutex);
    return this->*member;
  }
  // Questions that were held go on.
  void LetGo() {
    const std::lock_guard lock(mutex);
    slow_questions = slow_status = false;
    changed.notify_all();
  }

  store::NodeStore* node() override { return &nodes; }

  FakeNodeStore nodes;
  std::mutex mutex;
  std::condition_variable changed;
  bool slow_questions = false;  // Query() waits for LetGo()
  bool slow_status = false;     // GetStatus() does
  int questions = 0;
  int status_questions = 0;
  store::FlowQuery last_query;
  Result<store::FlowResult> answer = store::FlowResult{};
  bool knows_namespaces = false;
  Result<store::StoreStatus> status = store::StoreStatus{};
};

class FakeServer final : public server::Server {
 public:
  FakeServer() { hub.Start(); }
  void Ingest(std::string_view encoded_batch, UnixMillis sent_at, AckCallback done) override {
    const std::lock_guard lock(mutex);
    last_batch = encoded_batch;
    last_sent_at = sent_at;
    if (acknowledge_at_once) return done(ack);
    waiting.push_back(std::move(done));
  }
  wire::BatchSink& LocalSink() override { std::abort(); }
  std::vector<server::AgentStatus> Agents() const override { return agents; }
  server::LiveHub& live() override { return hub; }
  void Stop() override {}

  void Publish(std::vector<model::FlowRow> rows) { hub.Publish(std::move(rows), FakeClock().WallMillis()); }

  std::mutex mutex;
  std::string last_batch;
  UnixMillis last_sent_at = 0;
  bool acknowledge_at_once = true;
  Result<wire::Ack> ack = wire::Ack{};
  std::vector<AckCallback> waiting;
  std::vector<server::AgentStatus> agents;
  server::LiveHub hub;
};

}  // namespace weir::api
