#include "model/columns.h"

namespace weir::model {

std::string_view TypeName(ColumnType type) {
  switch (type) {
    case ColumnType::kTime: return "time";
    case ColumnType::kAddress: return "address";
    case ColumnType::kString: return "string";
    case ColumnType::kUint: return "uint";
    case ColumnType::kFloat: return "float";
    case ColumnType::kHistogram: return "histogram";
  }
  return "";
}

std::string_view KindName(ColumnKind kind) {
  switch (kind) {
    case ColumnKind::kTime: return "time";
    case ColumnKind::kDimension: return "dimension";
    case ColumnKind::kSum: return "sum";
    case ColumnKind::kMin: return "min";
    case ColumnKind::kMax: return "max";
    case ColumnKind::kHistogram: return "histogram";
    case ColumnKind::kDerived: return "derived";
  }
  return "";
}

}  // namespace weir::model
