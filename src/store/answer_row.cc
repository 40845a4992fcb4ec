#include "store/answer_row.h"

#include <algorithm>

#include "store/sql.h"

namespace weir::store {

std::string AddressText(std::string_view digits) {
  model::Address address;
  const std::string bytes = Unhex(digits);
  std::copy_n(bytes.begin(), std::min(bytes.size(), address.bytes.size()), address.bytes.begin());
  return address.ToString();
}

}  // namespace weir::store
