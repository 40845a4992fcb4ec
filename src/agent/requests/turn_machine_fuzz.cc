// Any order of steps with any texts: no crash, bounded memory, and no turn without a name.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "agent/requests/turn_machine.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace weir::agent::requests;
  TurnMachine machine([](const weir_step_head&, const Turn& turn) {
    if (turn.application.empty()) __builtin_trap();
  });
  for (uint64_t time = 1'000'000; size >= 4; time += 1'000'000) {
    weir_step_head head{};
    head.step.time_ns = time;
    head.step.kind = data[0] % 10 + 1;
    head.step.socket = data[1] % 3;
    head.step.flags = data[1] >> 7;
    const size_t text = std::min<size_t>({size - 4, data[2] * 2U, sizeof(head.text)});
    head.step.bytes = static_cast<uint32_t>(text + data[3]);
    head.step.request_bytes = data[3];
    head.text_bytes = static_cast<weir_u16>(text);
    std::memcpy(head.text, data + 4, text);
    head.step.tail_bytes = text >= WEIR_TAIL_BYTES ? WEIR_TAIL_BYTES : 0;
    if (head.step.tail_bytes != 0) std::memcpy(head.step.tail, data + 4 + text - WEIR_TAIL_BYTES, WEIR_TAIL_BYTES);
    const bool of_record = head.step.kind >= WEIR_STEP_SECURED;
    if (of_record) {
      constexpr uint32_t kSuites[] = {0x1301, 0x1302, 0x1305, 0xc02f};
      head.step.flags = data[1] >> 2;
      head.step.stream = WEIR_TLS_NOT_MULTIPLEXED;
      head.step.bytes = head.step.kind == WEIR_STEP_SECURED ? kSuites[data[3] % 4] : data[2] * 8U;
    }
    const bool of_frame = head.step.kind >= WEIR_STEP_FRAME && !of_record;
    if (of_frame) {
      head.step.flags = data[1] >> 3;
      head.step.stream = data[3] % 8;
      head.step.frame_type = data[3] >> 4;
      head.step.frame_flags = data[2];
      head.step.text_bytes = static_cast<weir_u16>(text);
    }
    data += 4 + text;
    size -= 4 + text;
    if (head.step.kind == WEIR_STEP_BLOCK) {
      weir_step_block block{};
      block.step = head.step;
      std::memcpy(block.text, head.text, text);
      machine.OnBlock(block);
    } else if (of_frame || head.step.kind == WEIR_STEP_RECORD) {
      machine.OnStep(head.step);
    } else if (head.step.kind == WEIR_STEP_HELLO) {
      machine.Sweep(static_cast<weir::Nanos>(time));
    } else if (head.step.kind <= WEIR_STEP_ANSWER || head.step.kind == WEIR_STEP_SECURED) {
      machine.OnHead(head);
    } else {
      machine.OnStep(head.step);
    }
  }
  return 0;
}
