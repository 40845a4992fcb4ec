// Any bytes: no crash, no read beyond the end.
#include <cstddef>
#include <cstdint>

#include "agent/node/link_message.h"
#include "agent/node/queue_stats.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::agent::node;
  const auto parse = [](uint16_t, Bytes payload) {
    (void)ParseLink(payload);
    if (const auto qdisc = ParseQdisc(payload)) (void)QdiscName(*qdisc);
    (void)ParseStats(payload);
    (void)ParseAddress(payload);
    (void)ParseQueueStats(payload);
  };
  (void)ReadDatagram({data, size}, 0, true, parse);
  parse(0, {data, size});
  return 0;
}
