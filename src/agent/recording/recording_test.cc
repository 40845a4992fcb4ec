// Writer and reader: what is put comes out, and files that are no whole recordings say so.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "agent/export/temporary_directory.h"
#include "agent/recording/reader.h"
#include "agent/recording/writer.h"
#include "base/metrics.h"

namespace weir::agent::recording {
namespace {

using testing::HasSubstr;

constexpr Nanos kSecond = 1'000'000'000;

std::string FileText(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Result<std::unique_ptr<Reader>> OpenBytes(const std::string& bytes) {
  return Reader::Open(std::make_unique<std::istringstream>(bytes));
}

struct ReadBack {
  std::vector<std::string> frames;  // kind and payload
  Ending ending;
};

ReadBack ReadAll(Reader& reader) {
  ReadBack read;
  for (const Frame* frame = reader.Peek(); frame != nullptr; frame = reader.Peek()) {
    read.frames.push_back(fmt::format("{} {}", static_cast<int>(frame->kind), frame->payload));
    reader.Pop();
  }
  read.ending = reader.ending();
  return read;
}

model::AgentBatch Batch(UnixMillis end) {
  model::AgentBatch batch;
  batch.agent_id = std::string(32, 'a');
  batch.node = "node";
  batch.mode = "ebpf";
  batch.start = end - 1'000;
  batch.end = end;
  return batch;
}

class RecordingTest : public testing::Test {
 protected:
  std::unique_ptr<Writer> Create(uint64_t limit = uint64_t{1} << 30) {
    auto writer = Writer::Create(path_, limit, HeaderOfThisMachine(clock_));
    EXPECT_TRUE(writer.ok()) << writer.status().message();
    return writer.ok() ? *std::move(writer) : nullptr;
  }
  // A small recording: two steps, a name, and an interval.
  std::string Small() {
    const auto writer = Create();
    writer->Start({});
    writer->BeginStep(Step::kStart, 5);
    writer->Put(FrameKind::kClock, Observer::kTcp, int64_t{7});
    writer->BeginStep(Step::kPoll, 6);  // of which nothing is to tell
    writer->BeginStep(Step::kCollect, kSecond);
    writer->Put(FrameKind::kNetnsName, Observer::kUdp, NetnsFrame{12, 0}, "lab");
    writer->PutBatch(Batch(1'000'000));
    writer->Finish();
    return FileText(path_);
  }

  TemporaryDirectory directory_;
  const std::filesystem::path path_ = directory_.path() / "a.weirrec";
  SystemClock clock_;
};

TEST_F(RecordingTest, WhatIsPutComesOut) {
  const auto reader = OpenBytes(Small());
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  EXPECT_EQ((*reader)->header().jiffy_us, HeaderOfThisMachine(clock_).jiffy_us);
  EXPECT_FALSE((*reader)->header().kernel.empty());
  const ReadBack read = ReadAll(**reader);
  ASSERT_EQ(read.frames.size(), 5U);
  EXPECT_EQ(read.frames[1], fmt::format("39 {}", std::string("\7\0\0\0\0\0\0\0", 8)));
  EXPECT_EQ(read.frames[3], fmt::format("37 {}lab", std::string("\14\0\0\0\0\0\0\0", 8)));
  EXPECT_EQ(read.ending.kind, Ending::Kind::kComplete);
}

TEST_F(RecordingTest, ManyBlocksKeepTheirOrder) {
  constexpr uint32_t kRecords = 20'000;
  const auto writer = Create();
  writer->Start({});
  writer->BeginStep(Step::kCollect, kSecond);
  for (uint32_t i = 0; i < kRecords; ++i) {
    weir_record record{};
    record.pid = i;
    writer->Put(FrameKind::kRecord, Observer::kTcp, record);
  }
  writer->Finish();
  EXPECT_EQ(writer->Probe().state, "on");
  const auto reader = OpenBytes(FileText(path_));
  ASSERT_TRUE(reader.ok());
  ASSERT_EQ((*reader)->Peek()->kind, FrameKind::kStep);
  (*reader)->Pop();
  for (uint32_t i = 0; i < kRecords; ++i) {
    const Frame* frame = (*reader)->Peek();
    ASSERT_NE(frame, nullptr) << i;
    weir_record record{};
    (*reader)->conversion(Struct::kRecord).Convert(frame->payload.data(), reinterpret_cast<char*>(&record));
    ASSERT_EQ(record.pid, i);
    (*reader)->Pop();
  }
  EXPECT_EQ((*reader)->Peek(), nullptr);
  EXPECT_EQ((*reader)->ending().kind, Ending::Kind::kComplete);
}

TEST_F(RecordingTest, NothingIsOverwritten) {
  std::ofstream(path_) << "mine";
  const auto writer = Writer::Create(path_, 1U << 30, HeaderOfThisMachine(clock_));
  EXPECT_EQ(writer.status().code(), Code::kConflict);
  EXPECT_THAT(writer.status().message(), HasSubstr("the file exists"));
  EXPECT_EQ(FileText(path_), "mine");
  std::filesystem::remove(path_);
  std::filesystem::create_symlink("elsewhere", path_);
  EXPECT_FALSE(Writer::Create(path_, 1U << 30, HeaderOfThisMachine(clock_)).ok());
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "elsewhere"));
}

TEST_F(RecordingTest, OnlyItsOwnerReadsIt) {
  (void)Create();
  EXPECT_EQ(std::filesystem::status(path_).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(RecordingTest, AtItsLimitItEndsAndWhatIsMissingIsCounted) {
  constexpr uint64_t kLimit = uint64_t{256} << 10;
  const uint64_t before = Read(Metric::agent_recording_missing);
  const auto writer = Create(kLimit);
  writer->Start({});
  weir_record record{};
  uint64_t intervals = 0;
  for (uint64_t seed = 1; writer->Probe().state == "on"; ++intervals) {
    writer->BeginStep(Step::kCollect, static_cast<Nanos>(intervals) * 10 * kSecond);
    for (int i = 0; i < 400; ++i) {  // that zstd makes nothing small of
      for (size_t at = 0; at + 8 <= sizeof(record); at += 8) {
        seed = seed * 6'364'136'223'846'793'005 + 1;
        std::memcpy(reinterpret_cast<char*>(&record) + at, &seed, 8);
      }
      writer->Put(FrameKind::kRecord, Observer::kTcp, record);
    }
    writer->PutBatch(Batch(1'000'000));
  }
  const uint64_t missing = Read(Metric::agent_recording_missing);
  writer->PutBatch(Batch(2'000'000));
  EXPECT_EQ(Read(Metric::agent_recording_missing), missing + 1);
  EXPECT_GE(missing, before);
  writer->Finish();
  EXPECT_EQ(writer->Probe().state, "failed");
  EXPECT_THAT(writer->Probe().reason, HasSubstr("limit of 262144 bytes"));
  EXPECT_THAT(writer->Probe().hint, HasSubstr("--record-limit"));
  const std::string bytes = FileText(path_);
  EXPECT_LE(bytes.size(), kLimit);
  EXPECT_GT(bytes.size(), kLimit / 2);
  const auto reader = OpenBytes(bytes);
  ASSERT_TRUE(reader.ok());
  const ReadBack read = ReadAll(**reader);
  EXPECT_GT(read.frames.size(), 400U);
  EXPECT_EQ(read.ending.kind, Ending::Kind::kCut);
  EXPECT_THAT(read.ending.why, HasSubstr("limit"));
}

TEST_F(RecordingTest, ALimitWithoutRoomIsRefused) {
  EXPECT_EQ(Writer::Create(path_, 100, HeaderOfThisMachine(clock_)).status().code(), Code::kInvalid);
}

TEST_F(RecordingTest, AFullDiskEndsItAndTheAgentGoesOn) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "SKIPPED: no /dev/full";
  // The file becomes one that is always full, as a disk would.
  const auto writer = Create();
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  bool replaced = false;
  for (int fd = 3; fd < 256 && !replaced; ++fd) {
    std::error_code error;
    const auto target = std::filesystem::read_symlink(fmt::format("/proc/self/fd/{}", fd), error);
    if (!error && target == path_) replaced = ::dup2(full, fd) == fd;
  }
  ::close(full);
  ASSERT_TRUE(replaced);
  writer->Start({});
  writer->BeginStep(Step::kCollect, kSecond);
  writer->PutBatch(Batch(1'000'000));
  writer->Finish();
  EXPECT_EQ(writer->Probe().state, "failed");
  EXPECT_THAT(writer->Probe().reason, HasSubstr("No space left"));
}

TEST_F(RecordingTest, OtherFilesAreTold) {
  const std::string good = Small();
  const auto reason = [](std::string bytes) {
    const auto reader = OpenBytes(bytes);
    return reader.ok() ? "" : reader.status().message();
  };
  EXPECT_THAT(reason(""), HasSubstr("no recording"));
  EXPECT_THAT(reason("hello, this is a text of more than 32 bytes"), HasSubstr("no recording"));
  EXPECT_THAT(reason(good.substr(0, 20)), HasSubstr("ends within its header"));
  EXPECT_THAT(reason(good.substr(0, 200)), HasSubstr("ends within its header"));
  std::string other = good;
  for (const char format : {'\0', '\4'}) {
    other[8] = format;
    EXPECT_THAT(reason(other), HasSubstr(fmt::format("format {:d}, this program reads formats 1 to 3", format)));
  }
  other[8] = 1;
  EXPECT_EQ(reason(other), "") << "what older programs wrote is read";
  other = good;
  std::swap(other[12], other[15]);
  std::swap(other[13], other[14]);
  EXPECT_THAT(reason(other), HasSubstr("other byte order"));
  other = good;
  other[19] = 1;
  EXPECT_THAT(reason(other), HasSubstr("damaged"));
  other = good;
  other[60] ^= 1;
  EXPECT_THAT(reason(other), HasSubstr("checksum"));
  EXPECT_EQ(reason(good), "");
}

TEST_F(RecordingTest, OneCutAnywhereGivesItsBeginningAndSaysSo) {
  const std::string good = Small();
  const auto whole = OpenBytes(good);
  const std::vector<std::string> frames = ReadAll(**whole).frames;
  for (size_t size = 0; size < good.size(); ++size) {
    const auto reader = OpenBytes(good.substr(0, size));
    if (!reader.ok()) continue;
    const ReadBack read = ReadAll(**reader);
    EXPECT_NE(read.ending.kind, Ending::Kind::kComplete) << size;
    ASSERT_LE(read.frames.size(), frames.size());
    EXPECT_TRUE(std::equal(read.frames.begin(), read.frames.end(), frames.begin())) << size;
  }
}

TEST_F(RecordingTest, AFlippedBitIsNoticed) {
  const std::string good = Small();
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 4);
    const auto reader = OpenBytes(bad);
    if (!reader.ok() || (at >= 20 && at < 24)) continue;  // or it is one of the header's unused bytes
    EXPECT_EQ(ReadAll(**reader).ending.kind, Ending::Kind::kDamaged) << at;
  }
}

TEST_F(RecordingTest, HeadersThatMakeNoSenseAreRefused) {
  const std::string text = HeaderText(HeaderOfThisMachine(clock_));
  ASSERT_TRUE(ParseHeader(text).ok());
  const auto with = [&](std::string_view key, const std::string& value) {
    std::string changed = text;
    const size_t at = changed.find("\n" + std::string(key) + "=") + 1;
    changed.replace(at, changed.find('\n', at) - at, value);
    return ParseHeader(changed).status();
  };
  EXPECT_THAT(with("jiffy_us", "jiffy_us=0").message(), HasSubstr("jiffy_us is not a number from 1"));
  EXPECT_THAT(with("max_sockets", "max_sockets=99999999999").message(), HasSubstr("max_sockets"));
  EXPECT_THAT(with("abi", "").message(), HasSubstr("does not tell 'abi'"));
  EXPECT_THAT(with("udp", "udp=2").message(), HasSubstr("udp"));
  EXPECT_THAT(with("weir_step", "").message(), HasSubstr("weir_step"));
  EXPECT_EQ(with("weir_step", "weir_step=32 time_ns:0:4").code(), Code::kUnsupported);
  EXPECT_EQ(ParseHeader(text.substr(0, text.size() - 1)).status().code(), Code::kCorrupt);
  EXPECT_TRUE(with("kernel", "kernel=\x1b[31m").ok()) << "made printable";
}

}  // namespace
}  // namespace weir::agent::recording
