// Any bytes: no crash, no read beyond the end.
#include <cstddef>
#include <cstdint>

#include "agent/nat/conntrack_message.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::agent::nat;
  const Tuple nobody;
  (void)OtherDirection({data, size}, nobody);
  (void)IsOpen({data, size});
  (void)EntriesOf({data, size});
  return 0;
}
