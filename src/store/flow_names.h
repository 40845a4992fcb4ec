// What flows are: the dimensions behind the numbers in `flow`. A cache of what the tables say, filled by questions,
// so that grouping and sending need eight bytes per flow.
//
// A flow's connection and the entities it names never change; what is known of an entity does, and Put() says so. The
// cache holds what is known now. Bounds: flows, bytes of text, entities; whichever is full starts again. Thread-safe;
// no lock is held while the tables are asked.
#pragma once

#include <tsl/robin_map.h>

#include <array>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/entity_catalogue.h"
#include "store/query.h"

namespace weir::store {

// The dimensions of the connection, in table order.
const std::vector<const model::Column*>& ConnectionDimensions();

// A flow as its table has it.
struct NamedFlow {
  uint64_t flow = 0;
  std::array<model::EntityId, 3> entities{};  // client, server, service
  std::vector<Cell> connection;               // ConnectionDimensions()
};

class FlowNames {
 public:
  // Ask the tables. What they do not find is left out.
  struct Tables {
    std::function<Result<std::vector<NamedFlow>>(const std::vector<uint64_t>& flows)> flows;
    std::function<Result<std::vector<StoredEntity>>(const std::vector<model::EntityId>& ids)> entities;
  };

  // Fills the first cells of rows[i] with the `group_by` dimensions of flows[i]. Errors of `tables` are passed on; what
  // they did not find stays empty. `now` false: entities are asked for and not remembered, for another time's are
  // wanted. `ends`, unless null, becomes the ends of each flow.
  Status Fill(const std::vector<uint64_t>& flows, const std::vector<const model::Column*>& group_by,
              const Tables& tables, bool now, std::vector<std::vector<Cell>>& rows,
              std::vector<FlowEnds>* ends = nullptr);

  // Versions that are durably stored.
  void Put(const std::vector<model::EntityRef>& entities);

 private:
  static constexpr size_t kMaxFlows = 500'000;  // 100 bytes each
  static constexpr size_t kMaxTextBytes = 64 << 20;
  static constexpr size_t kMaxEntities = 100'000;  // 1 KB each at most; often shared with the live rows

  struct Flow {
    std::array<model::EntityId, 3> entities{};
    // A text's place in texts_, or a number; no dimension has more than 32 bits.
    std::array<uint32_t, model::kConnectionColumnCount> connection{};
  };
  using Entities = tsl::robin_map<model::EntityId, model::EntityRef>;
  class Filling;

  Status FillConnections(const std::vector<uint64_t>& flows, const Tables& tables, Filling& filling);
  Result<Entities> FindEntities(const std::vector<model::EntityId>& ids, const Tables& tables, bool now);
  void Remember(const NamedFlow& flow);
  Cell ValueOf(const Flow& flow, size_t place) const;
  uint32_t TextNumber(const std::string& text);
  void ClearFlows();

  std::mutex mutex_;
  tsl::robin_map<uint64_t, Flow> flows_;
  tsl::robin_map<std::string, uint32_t> text_numbers_;
  std::vector<std::string> texts_;
  size_t text_bytes_ = 0;
  Entities entities_;
  uint64_t puts_ = 0;  // what was asked for before the last one may be out of date
};

}  // namespace weir::store
