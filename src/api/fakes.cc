#include "api/fakes.h"

namespace weir::store {

// The real one lives with the real store, which these tests do without.
const std::vector<const model::Column*>& DefaultGroup() {
  static const std::vector<const model::Column*> group{
      model::FindColumn("client_address"), model::FindColumn("server_address"), model::FindColumn("server_port")};
  return group;
}

}  // namespace weir::store
