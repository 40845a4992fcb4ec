#include "store/packed_places.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "store/schema.h"
#include "store/sql.h"

namespace weir::store {
namespace {

// Far more than the column table will ever have.
constexpr size_t kMaxPlaces = 4'096;

Status Odd() {
  return Status::Corrupt(
      fmt::format("the list of packed measures ({}) has gaps; restore the data directory from a backup", kPlaceTable));
}

std::string_view TakeField(std::string_view& line) {
  const size_t tab = line.find('\t');
  const std::string_view field = line.substr(0, tab);
  line.remove_prefix(tab == std::string_view::npos ? line.size() : tab + 1);
  return field;
}

// Lines of list, place, measure, in order of the places.
Result<Packing::Names> ParseNames(std::string_view answer) {
  Packing::Names names;
  while (!answer.empty()) {
    std::string_view line = answer.substr(0, answer.find('\n'));
    answer.remove_prefix(std::min(answer.size(), line.size() + 1));
    const auto list = std::find(kPlaceListNames.begin(), kPlaceListNames.end(), TakeField(line));
    const std::string_view digits = TakeField(line);
    size_t place = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), place);
    if (list == kPlaceListNames.end()) continue;  // of a newer Weir
    std::vector<std::string>& measures = names[static_cast<size_t>(list - kPlaceListNames.begin())];
    if (place != measures.size() || place >= kMaxPlaces || line.empty()) return Odd();
    measures.emplace_back(line);
  }
  return names;
}

}  // namespace

std::string InsertPlacesSql(const Packing::Names& names, const std::array<size_t, kPlaceLists>& from) {
  std::vector<std::string> rows;
  for (size_t list = 0; list < names.size(); ++list) {
    for (size_t place = from[list]; place < names[list].size(); ++place) {
      rows.push_back(
          fmt::format("({}, {}, {})", QuoteText(kPlaceListNames[list]), place, QuoteText(names[list][place])));
    }
  }
  // No INSERT ... VALUES: ClickHouse as a library takes what is on standard input for more of its rows.
  return rows.empty() ? ""
                      : fmt::format(
                            "INSERT INTO {} (list, place, measure) SELECT row.1, row.2, row.3 FROM (SELECT "
                            "arrayJoin([{}]) AS row)",
                            kPlaceTable, Join(rows));
}

Result<Packing> OpenPacking(Connection& connection) {
  WEIR_ASSIGN_OR_RETURN(
      const std::string answer,
      connection.Execute(fmt::format("SELECT list, place, measure FROM {} FINAL ORDER BY list, place", kPlaceTable)));
  WEIR_ASSIGN_OR_RETURN(const Packing::Names told, ParseNames(answer));
  std::array<size_t, kPlaceLists> known{};
  for (size_t list = 0; list < told.size(); ++list) known[list] = told[list].size();
  Packing packing(told);
  if (const std::string sql = InsertPlacesSql(packing.names(), known); !sql.empty()) {
    WEIR_RETURN_IF_ERROR(connection.Execute(sql).status());
  }
  return packing;
}

}  // namespace weir::store
