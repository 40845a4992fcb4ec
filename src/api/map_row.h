// A row of the answer to MapQuery(), by column.
#pragma once

#include <cstdint>
#include <string_view>
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
#define WEIR_MAP_NUMBERS(X) \
  X(client_netns) X(server_netns) X(client_shared) X(server_shared) X(server_port) X(rtt_min_us) X(rtt_max_us)

// A column the result lacks is "" or 0. The row is borrowed for as long as what was read of it.
class MapRowReader {
 public:
  using Row = std::vector<store::Cell>;

  explicit MapRowReader(const store::FlowResult& result) {
    for (size_t i = 0; i < result.columns.size(); ++i) {
      const std::string_view name = result.columns[i]->name;
#define WEIR_FIND(column) \
  if (name == #column) column##_ = i;
      WEIR_MAP_TEXTS(WEIR_FIND)
      WEIR_MAP_NUMBERS(WEIR_FIND)
      WEIR_EDGE_SUMS(WEIR_FIND)
#undef WEIR_FIND
#define WEIR_FIND(field, attribute)                            \
  if (name == "client_" #attribute) client_.field##_place = i; \
  if (name == "server_" #attribute) server_.field##_place = i;
      WEIR_MAP_END_TEXTS(WEIR_FIND)
#undef WEIR_FIND
    }
  }

#define WEIR_READ_TEXT(column) \
  std::string_view column(const Row& row) const { return TextAt(row, column##_); }
  WEIR_MAP_TEXTS(WEIR_READ_TEXT)
#undef WEIR_READ_TEXT
#define WEIR_READ_NUMBER(column) \
  uint64_t column(const Row& row) const { return column##_ == kAbsent ? 0 : row[column##_].exact; }
  WEIR_MAP_NUMBERS(WEIR_READ_NUMBER)
  WEIR_EDGE_SUMS(WEIR_READ_NUMBER)
#undef WEIR_READ_NUMBER

  EndFacts ClientOf(const Row& row) const {
    EndFacts end = EndOf(row, client_);
    end.other_node = TextAt(row, server_.node_place);
    end.netns = static_cast<uint32_t>(client_netns(row));
    end.shared = static_cast<uint32_t>(client_shared(row));
    return end;
  }
  EndFacts ServerOf(const Row& row) const {
    EndFacts end = EndOf(row, server_);
    end.other_node = TextAt(row, client_.node_place);
    end.netns = static_cast<uint32_t>(server_netns(row));
    end.shared = static_cast<uint32_t>(server_shared(row));
    end.service = server_service(row);
    end.service_namespace = server_service_namespace(row);
    return end;
  }

 private:
  static constexpr size_t kAbsent = SIZE_MAX;

  struct EndPlaces {
#define WEIR_POSITION(field, attribute) size_t field##_place = kAbsent;
    WEIR_MAP_END_TEXTS(WEIR_POSITION)
#undef WEIR_POSITION
  };

  static std::string_view TextAt(const Row& row, size_t place) {
    return place == kAbsent ? std::string_view{} : std::string_view(row[place].text);
  }
  static EndFacts EndOf(const Row& row, const EndPlaces& places) {
    EndFacts end;
#define WEIR_READ_TEXT(field, attribute) end.field = TextAt(row, places.field##_place);
    WEIR_MAP_END_TEXTS(WEIR_READ_TEXT)
#undef WEIR_READ_TEXT
    return end;
  }

  EndPlaces client_;
  EndPlaces server_;
#define WEIR_POSITION(column) size_t column##_ = kAbsent;
  WEIR_MAP_TEXTS(WEIR_POSITION)
  WEIR_MAP_NUMBERS(WEIR_POSITION)
  WEIR_EDGE_SUMS(WEIR_POSITION)
#undef WEIR_POSITION
};

}  // namespace weir::api
