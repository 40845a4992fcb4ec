// A row of the answer to MapQuery(), by column.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/map_end.h"
#include "store/query.h"

namespace weir::api {

// The sums of an edge: adding rows and showing them come from this one list.
#define WEIR_EDGE_SUMS(X) \
  X(bytes_to_server)      \
  X(bytes_to_client)      \
  X(segments_to_server)   \
  X(segments_to_client)   \
  X(retransmits)          \
  X(timeouts)             \
  X(connections_opened)   \
  X(failed_refused)       \
  X(failed_timed_out)     \
  X(failed_unreachable)   \
  X(failed_abandoned)     \
  X(failed_no_port)       \
  X(failed_other)         \
  X(closed_reset)         \
  X(late_segments)        \
  X(reordered_to_server)  \
  X(reordered_to_client)  \
  X(client_reports)       \
  X(server_reports)       \
  X(connect_count)        \
  X(connect_sum_us)       \
  X(client_rtt_count)     \
  X(client_rtt_sum_us)    \
  X(server_rtt_count)     \
  X(server_rtt_sum_us)    \
  X(cost_nano_usd)

#define WEIR_MAP_TEXTS(X) X(locality) X(server_service) X(server_service_namespace)
#define WEIR_MAP_NUMBERS(X) X(server_port) X(rtt_min_us) X(rtt_max_us)

// Reads rows by their place in the answer. A column the answer lacks is "" or 0. The answer is borrowed, also for as
// long as what was read of it.
class MapRowReader {
 public:
  using Row = size_t;

  MapRowReader(const store::FlowResult& result, const std::vector<const model::Column*>& group_by) : result_(result) {
    for (size_t i = 0; i < result.columns.size(); ++i) Find(result.columns[i]->name, i);
    if (result.ends.empty()) return;
    // Whole ends have every attribute: only those that were asked for count.
    for (const model::Column* column : group_by) {
      if (column->of_entity()) Find(column->name, kInEnds);
    }
  }

  size_t rows() const { return result_.rows.size(); }

#define WEIR_READ_NUMBER(column) \
  uint64_t column(Row row) const { return NumberAt(row, column##_); }
  WEIR_MAP_NUMBERS(WEIR_READ_NUMBER)
  WEIR_EDGE_SUMS(WEIR_READ_NUMBER)
#undef WEIR_READ_NUMBER
  std::string_view locality(Row row) const { return TextAt(row, locality_); }

  std::string_view client_address(Row row) const { return TextAt(row, client_.address_place); }

  // What an end is known by, where the answer has whole ends: the entity and, of a server, the service that was asked.
  // Else null, null. Good for as long as the answer.
  using EndKey = std::pair<const model::Entity*, const model::Entity*>;
  EndKey ClientKey(Row row) const {
    return result_.ends.empty() ? EndKey{} : EndKey{result_.ends[row].client.get(), nullptr};
  }
  EndKey ServerKey(Row row) const {
    return result_.ends.empty() ? EndKey{} : EndKey{result_.ends[row].server.get(), result_.ends[row].service.get()};
  }

  // Single facts, without reading all of an end.
  std::string_view client_zone(Row row) const {
    return AttributeOf(row, client_.zone_place, &store::FlowEnds::client, &model::Entity::zone);
  }
  std::string_view server_zone(Row row) const {
    return AttributeOf(row, server_.zone_place, &store::FlowEnds::server, &model::Entity::zone);
  }
  std::string_view client_on_behalf_of(Row row) const {
    return AttributeOf(row, client_.on_behalf_of_place, &store::FlowEnds::client, &model::Entity::on_behalf_of);
  }
  std::string_view server_service(Row row) const {
    return AttributeOf(row, server_service_, &store::FlowEnds::service, &model::Entity::service);
  }
  std::string_view server_service_namespace(Row row) const {
    return AttributeOf(row, server_service_namespace_, &store::FlowEnds::service, &model::Entity::namespace_);
  }

  EndFacts ClientOf(Row row) const {
    EndFacts end = EndOf(row, client_, Whole(row, &store::FlowEnds::client));
    end.other_node = AttributeOf(row, server_.node_place, &store::FlowEnds::server, &model::Entity::node);
    return end;
  }
  EndFacts ServerOf(Row row) const {
    EndFacts end = EndOf(row, server_, Whole(row, &store::FlowEnds::server));
    end.other_node = AttributeOf(row, client_.node_place, &store::FlowEnds::client, &model::Entity::node);
    end.service = server_service(row);
    end.service_namespace = server_service_namespace(row);
    return end;
  }

 private:
  static constexpr size_t kAbsent = SIZE_MAX;
  static constexpr size_t kInEnds = SIZE_MAX - 1;

  // Where each attribute of an end stands: a cell, the whole end, or nowhere.
  struct EndPlaces {
#define WEIR_PLACE(field, attribute) size_t field##_place = kAbsent;
    WEIR_MAP_END_TEXTS(WEIR_PLACE)
#undef WEIR_PLACE
    size_t netns_place = kAbsent;
    size_t shared_place = kAbsent;
  };

  void Find(std::string_view name, size_t place) {
#define WEIR_FIND(column) \
  if (name == #column) column##_ = place;
    WEIR_MAP_TEXTS(WEIR_FIND)
    WEIR_MAP_NUMBERS(WEIR_FIND)
    WEIR_EDGE_SUMS(WEIR_FIND)
#undef WEIR_FIND
#define WEIR_FIND(field, attribute)                                \
  if (name == "client_" #attribute) client_.field##_place = place; \
  if (name == "server_" #attribute) server_.field##_place = place;
    WEIR_MAP_END_TEXTS(WEIR_FIND)
    WEIR_FIND(netns, netns)
    WEIR_FIND(shared, shared)
#undef WEIR_FIND
  }

  std::string_view TextAt(Row row, size_t place) const {
    return place == kAbsent ? std::string_view{} : std::string_view(result_.rows[row][place].text);
  }
  uint64_t NumberAt(Row row, size_t place) const { return place == kAbsent ? 0 : result_.rows[row][place].exact; }
  // One without attributes where the answer has no whole ends.
  const model::Entity& Whole(Row row, model::EntityRef store::FlowEnds::*end) const {
    return model::Of(result_.ends.empty() ? nullptr : result_.ends[row].*end);
  }
  std::string_view AttributeOf(Row row, size_t place, model::EntityRef store::FlowEnds::*end,
                               std::string model::Entity::*attribute) const {
    return place == kInEnds ? std::string_view(Whole(row, end).*attribute) : TextAt(row, place);
  }
  EndFacts EndOf(Row row, const EndPlaces& places, const model::Entity& entity) const {
    EndFacts end;
    end.address = TextAt(row, places.address_place);
#define WEIR_READ_TEXT(field, attribute) \
  end.field = places.field##_place == kInEnds ? std::string_view(entity.field) : TextAt(row, places.field##_place);
    WEIR_MAP_ENTITY_TEXTS(WEIR_READ_TEXT)
#undef WEIR_READ_TEXT
#define WEIR_READ_NUMBER(field) \
  end.field =                   \
      static_cast<uint32_t>(places.field##_place == kInEnds ? entity.field : NumberAt(row, places.field##_place));
    WEIR_READ_NUMBER(netns)
    WEIR_READ_NUMBER(shared)
#undef WEIR_READ_NUMBER
    return end;
  }

  const store::FlowResult& result_;
  EndPlaces client_;
  EndPlaces server_;
#define WEIR_PLACE(column) size_t column##_ = kAbsent;
  WEIR_MAP_TEXTS(WEIR_PLACE)
  WEIR_MAP_NUMBERS(WEIR_PLACE)
  WEIR_EDGE_SUMS(WEIR_PLACE)
#undef WEIR_PLACE
};

}  // namespace weir::api
