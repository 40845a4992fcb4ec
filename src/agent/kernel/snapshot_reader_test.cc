#include "agent/kernel/snapshot_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "agent/kernel/bpf_log.h"

namespace weir::agent::kernel {
namespace {

class Sockets final : public RecordSink {
 public:
  void OnRecord(const weir_record& record) override { seen.push_back(record.socket); }
  std::vector<uint64_t> seen;
};

std::string Records(uint64_t count) {
  std::string bytes;
  for (uint64_t i = 0; i < count; ++i) {
    weir_record record{};
    record.socket = i;
    bytes.append(reinterpret_cast<const char*>(&record), sizeof(record));
  }
  return bytes;
}

// Hands out `bytes` in pieces of `piece` bytes, each after one EAGAIN.
ReadFunction Pieces(std::string bytes, size_t piece) {
  return [bytes = std::move(bytes), piece, at = size_t{0}, again = false](void* to, size_t size) mutable -> ssize_t {
    again = !again;
    if (again) {
      errno = EAGAIN;
      return -1;
    }
    const size_t step = std::min({piece, size, bytes.size() - at});
    std::memcpy(to, bytes.data() + at, step);
    at += step;
    return static_cast<ssize_t>(step);
  };
}

TEST(ReadRecords, RecordsAreSplitOverReadsAnywhere) {
  for (const size_t piece : {size_t{1}, size_t{100}, sizeof(weir_record), size_t{1'000}, size_t{1} << 20}) {
    Sockets sockets;
    const Status status = ReadRecords(Pieces(Records(3'000), piece), sockets);
    ASSERT_TRUE(status.ok()) << status.message();
    ASSERT_EQ(sockets.seen.size(), 3'000U) << "pieces of " << piece;
    EXPECT_TRUE(std::is_sorted(sockets.seen.begin(), sockets.seen.end()));
  }
}

TEST(ReadRecords, AnEndWithinARecordIsSaid) {
  Sockets sockets;
  EXPECT_EQ(ReadRecords(Pieces(Records(2) + "x", 500), sockets).code(), Code::kCorrupt);
  EXPECT_EQ(sockets.seen.size(), 2U);
}

TEST(ReadRecords, ErrorsArePassedOn) {
  Sockets sockets;
  const auto broken = [](void*, size_t) -> ssize_t {
    errno = EPERM;
    return -1;
  };
  EXPECT_EQ(ReadRecords(broken, sockets).code(), Code::kDenied);
}

TEST(BpfLog, SummaryIsTheFirstLineAndTheVerdict) {
  EXPECT_EQ(SummarizeBpfLog("libbpf: prog 'a': BPF program load failed: Permission denied\n"
                            "libbpf: prog 'a': -- BEGIN PROG LOAD LOG --\n0: (bf) r6 = r1\nR1 type=scalar expected=fp\n"
                            "processed 3 insns (limit 1000000)\n-- END PROG LOAD LOG --\n"),
            "prog 'a': BPF program load failed: Permission denied; verifier: R1 type=scalar expected=fp");
  EXPECT_EQ(
      SummarizeBpfLog("libbpf: prog 'a': load failed: Operation not permitted\n"
                      "libbpf: prog 'a': -- BEGIN PROG LOAD LOG --\nprocessed 0 insns\n-- END PROG LOAD LOG --\n"),
      "prog 'a': load failed: Operation not permitted");
  EXPECT_EQ(SummarizeBpfLog(""), "");
  EXPECT_LE(SummarizeBpfLog(std::string(100'000, 'x')).size(), 400U);
}

}  // namespace
}  // namespace weir::agent::kernel
