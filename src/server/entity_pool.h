// EntityPool: one shared copy of each end, as agents know it. Names from elsewhere are added after matching, see
// naming.h.
//
// An end whose attributes change gets a new version. Bounded: when full it starts again, which costs a copy of each end
// that goes on and a version that says what the one before said. Thread: the writer's.
#pragma once

#include <tsl/robin_map.h>

#include <string_view>

#include "base/clock.h"
#include "model/entity.h"
#include "model/side_report.h"

namespace weir::server {

// What an agent says of an end it sees.
struct ReportedEnd {
  std::string_view node;
  const model::LocalIdentity& identity;
  uint32_t netns = 0;

  // Whether the entity says the same.
  bool Is(const model::Entity& entity) const;
};

class EntityPool {
 public:
  model::EntityRef Reported(const ReportedEnd& end, UnixMillis now);
  // An end that nobody reports: its address. `holder`: the node it belongs to, or "" where that is unknown. Null for
  // the unspecified address.
  model::EntityRef Unreported(const model::Address& address, std::string_view holder, UnixMillis now);

 private:
  static constexpr size_t kMaxEntities = 65'536;  // about 1 KB each

  model::EntityRef Keep(model::Entity entity, UnixMillis now);

  tsl::robin_map<model::EntityId, model::EntityRef> entities_;
};

}  // namespace weir::server
