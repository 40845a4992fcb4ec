#include "agent/export/spool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "agent/export/temporary_directory.h"
#include "base/metrics.h"

namespace weir::agent {
namespace {

constexpr uint64_t kPlenty = 1 << 20;
constexpr uint64_t kHeader = 32;

std::unique_ptr<Spool> OpenSpool(const std::filesystem::path& path, uint64_t limit = kPlenty) {
  Result<std::unique_ptr<Spool>> spool = Spool::Open(path, limit);
  EXPECT_TRUE(spool.ok()) << spool.status().message();
  return *std::move(spool);
}

SpooledBatch Batch(uint64_t key, std::string bytes) { return {.key = key, .sequence = key, .bytes = std::move(bytes)}; }

std::vector<std::string> Files(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.is_regular_file()) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Takes everything out, oldest first.
std::vector<uint64_t> Drain(Spool& spool) {
  std::vector<uint64_t> keys;
  for (auto batch = spool.Oldest(); batch.ok(); batch = spool.Oldest()) {
    keys.push_back(batch->key);
    spool.Remove(batch->key);
  }
  return keys;
}

TEST(Spool, GivesBackInOrderWhatItWasGivenAcrossRestarts) {
  const TemporaryDirectory temporary;
  const std::string binary("a\0b\n", 4);
  {
    const auto spool = OpenSpool(temporary.path());
    EXPECT_TRUE(spool->empty());
    EXPECT_EQ(spool->Oldest().status().code(), Code::kNotFound);
    for (const uint64_t key : {10U, 9U, 100U}) ASSERT_TRUE(spool->Append(Batch(key, binary)).ok());
    EXPECT_EQ(spool->bytes(), 3 * (kHeader + binary.size()));
    EXPECT_EQ(Read(Metric::agent_spool_bytes), spool->bytes());
  }
  const auto spool = OpenSpool(temporary.path());
  EXPECT_EQ(spool->batches(), 3U);
  EXPECT_EQ(spool->bytes(), 3 * (kHeader + binary.size()));
  EXPECT_EQ(spool->highest_key(), 100U);
  EXPECT_EQ(spool->Oldest()->key, 9U);
  EXPECT_EQ(spool->Oldest()->bytes, binary) << "stays until it is removed";
  EXPECT_EQ(Drain(*spool), (std::vector<uint64_t>{9, 10, 100}));
  EXPECT_TRUE(spool->empty());
  EXPECT_EQ(spool->bytes(), 0U);
  EXPECT_THAT(Files(temporary.path()), testing::IsEmpty());
}

TEST(Spool, FilesAreForTheOwnerOnly) {
  const TemporaryDirectory temporary;
  const auto spool = OpenSpool(temporary.path() / "spool");
  ASSERT_TRUE(spool->Append(Batch(7, "x")).ok());
  struct stat info {};
  ASSERT_EQ(stat((temporary.path() / "spool").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
  ASSERT_EQ(stat((temporary.path() / "spool/00000000000000000007.batch").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST(Spool, ARenumberedBatchKeepsItsPlace) {
  const TemporaryDirectory temporary;
  const auto spool = OpenSpool(temporary.path());
  ASSERT_TRUE(spool->Append(Batch(1, "one")).ok());
  ASSERT_TRUE(spool->Append(Batch(2, "two")).ok());
  ASSERT_TRUE(spool->Append({.key = 1, .sequence = 99, .bytes = "one, renumbered"}).ok());
  EXPECT_EQ(spool->batches(), 2U);
  EXPECT_EQ(spool->bytes(), 2 * kHeader + 3 + 15);
  const auto oldest = spool->Oldest();
  EXPECT_EQ(oldest->key, 1U);
  EXPECT_EQ(oldest->sequence, 99U);
  EXPECT_EQ(oldest->bytes, "one, renumbered");
}

TEST(Spool, DropsTheOldestBeyondTheLimitAndCounts) {
  const TemporaryDirectory temporary;
  const uint64_t each = kHeader + 10;
  const uint64_t before = Read(Metric::agent_spool_dropped);
  {
    const auto spool = OpenSpool(temporary.path(), 3 * each);
    for (uint64_t key = 1; key <= 5; ++key) ASSERT_TRUE(spool->Append(Batch(key, std::string(10, 'x'))).ok());
    EXPECT_EQ(spool->bytes(), 3 * each);
    EXPECT_EQ(spool->Oldest()->key, 3U);
    EXPECT_EQ(Read(Metric::agent_spool_dropped), before + 2);
    EXPECT_EQ(spool->Append(Batch(6, std::string(3 * each, 'x'))).code(), Code::kExhausted);
    EXPECT_EQ(spool->batches(), 3U) << "a batch that cannot fit drops nothing";
  }
  const auto smaller = OpenSpool(temporary.path(), each);
  EXPECT_EQ(Drain(*smaller), std::vector<uint64_t>{5});
  EXPECT_EQ(Read(Metric::agent_spool_dropped), before + 4);
}

TEST(Spool, SetsDamagedFilesAsideAndGoesOn) {
  const TemporaryDirectory temporary;
  std::vector<std::string> names;
  {
    const auto spool = OpenSpool(temporary.path());
    for (uint64_t key = 1; key <= 7; ++key) ASSERT_TRUE(spool->Append(Batch(key, "content of a batch")).ok());
    names = Files(temporary.path());
  }
  const auto overwrite = [&](size_t i, off_t at, std::string_view bytes) {
    std::fstream file(temporary.path() / names[i], std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(at);
    file << bytes;
  };
  std::filesystem::resize_file(temporary.path() / names[0], 0);
  std::filesystem::resize_file(temporary.path() / names[1], kHeader - 1);
  std::filesystem::resize_file(temporary.path() / names[2], kHeader + 5);
  overwrite(3, 0, "X");            // magic
  overwrite(4, 8, "\x09");         // sequence
  overwrite(5, kHeader + 3, "X");  // content
  const uint64_t before = Read(Metric::agent_spool_damaged);
  const auto spool = OpenSpool(temporary.path());
  EXPECT_EQ(Drain(*spool), std::vector<uint64_t>{7});
  EXPECT_EQ(Read(Metric::agent_spool_damaged), before + 6);
  EXPECT_EQ(Files(temporary.path() / "damaged").size(), 6U);
  EXPECT_EQ(spool->bytes(), 0U);
}

TEST(Spool, KeepsAFewDamagedFilesOnly) {
  const TemporaryDirectory temporary;
  const auto spool = OpenSpool(temporary.path());
  for (uint64_t key = 1; key <= Spool::kMaxDamagedFiles + 5; ++key) {
    ASSERT_TRUE(spool->Append(Batch(key, "x")).ok());
    std::filesystem::resize_file(temporary.path() / Files(temporary.path()).front(), 1);
    EXPECT_FALSE(spool->Oldest().ok());
  }
  const auto kept = Files(temporary.path() / "damaged");
  EXPECT_EQ(kept.size(), Spool::kMaxDamagedFiles);
  EXPECT_EQ(kept.front(), "00000000000000000006.batch") << "the newest are kept";
}

TEST(Spool, AMissingFileIsADamagedOne) {
  const TemporaryDirectory temporary;
  const auto spool = OpenSpool(temporary.path());
  ASSERT_TRUE(spool->Append(Batch(1, "x")).ok());
  ASSERT_TRUE(spool->Append(Batch(2, "x")).ok());
  std::filesystem::remove(temporary.path() / "00000000000000000001.batch");
  EXPECT_EQ(spool->Oldest()->key, 2U);
}

TEST(Spool, IgnoresWhatIsNotItsOwn) {
  const TemporaryDirectory temporary;
  std::ofstream(temporary.path() / "00000000000000000003.batch.tmp") << "half";
  std::ofstream(temporary.path() / "notes.txt") << "x";
  std::ofstream(temporary.path() / "3.batch") << "x";
  std::ofstream(temporary.path() / "0000000000000000000x.batch") << "x";
  std::ofstream(temporary.path() / "18446744073709551615.batch") << "x";
  std::filesystem::create_directory(temporary.path() / "00000000000000000004.batch");
  std::filesystem::create_symlink("/etc/passwd", temporary.path() / "00000000000000000005.batch");
  const auto spool = OpenSpool(temporary.path());
  EXPECT_TRUE(spool->empty());
  EXPECT_FALSE(std::filesystem::exists(temporary.path() / "00000000000000000003.batch.tmp"));
  EXPECT_TRUE(std::filesystem::exists(temporary.path() / "notes.txt"));
}

TEST(Spool, AFullDiskIsAnErrorThatKeepsWhatIsThere) {
  const TemporaryDirectory temporary;
  const auto spool = OpenSpool(temporary.path());
  ASSERT_TRUE(spool->Append(Batch(1, "x")).ok());
  // A limit on file sizes makes write() fail in the middle, as a full disk does.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit tight{1'000, old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
  const Status status = spool->Append(Batch(2, std::string(5'000, 'x')));
  setrlimit(RLIMIT_FSIZE, &old);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(spool->batches(), 1U);
  EXPECT_EQ(Files(temporary.path()).size(), 1U) << "no half-written file stays";
  EXPECT_TRUE(spool->Append(Batch(2, std::string(5'000, 'x'))).ok()) << "and it recovers";
  EXPECT_EQ(Drain(*spool), (std::vector<uint64_t>{1, 2}));
}

TEST(Spool, AVanishedDirectoryIsAnErrorNotACrash) {
  const TemporaryDirectory temporary;
  const auto path = temporary.path() / "spool";
  const auto spool = OpenSpool(path);
  ASSERT_TRUE(spool->Append(Batch(1, "x")).ok());
  std::filesystem::remove_all(path);
  EXPECT_FALSE(spool->Append(Batch(2, "x")).ok());
  EXPECT_FALSE(spool->Oldest().ok());
  spool->Remove(1);
  EXPECT_EQ(spool->bytes(), 0U);
  EXPECT_FALSE(Spool::Open(temporary.path() / "no" / "parent", kPlenty).ok());
}

// A writer is killed at an arbitrary moment, many times; what it had reported as durable must be there,
// whole.
TEST(Spool, SurvivesKillMinusNine) {
  const TemporaryDirectory temporary;
  const auto content = [](uint64_t key) { return std::string(1'000 + key % 4'000, static_cast<char>('a' + key % 26)); };
  uint64_t durable = 0;
  for (int round = 0; round < 10; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t writer = fork();
    ASSERT_GE(writer, 0);
    if (writer == 0) {
      auto spool = Spool::Open(temporary.path(), uint64_t{1} << 30);
      if (!spool.ok()) _exit(1);
      for (uint64_t key = (*spool)->highest_key() + 1;; ++key) {
        if (!(*spool)->Append(Batch(key, content(key))).ok()) _exit(2);
        if (write(pipe_ends[1], &key, sizeof(key)) != sizeof(key)) _exit(3);
      }
    }
    close(pipe_ends[1]);
    for (int reports = 0; reports < 5 + round; ++reports) {
      ASSERT_EQ(read(pipe_ends[0], &durable, sizeof(durable)), static_cast<ssize_t>(sizeof(durable)));
    }
    kill(writer, SIGKILL);
    uint64_t more = 0;
    while (read(pipe_ends[0], &more, sizeof(more)) == sizeof(more)) durable = more;
    close(pipe_ends[0]);
    int status = 0;
    waitpid(writer, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself with " << WEXITSTATUS(status);
  }
  const uint64_t damaged = Read(Metric::agent_spool_damaged);
  const auto spool = OpenSpool(temporary.path(), uint64_t{1} << 30);
  for (uint64_t key = 1; key <= durable; ++key) {
    const auto batch = spool->Oldest();
    ASSERT_TRUE(batch.ok()) << key;
    ASSERT_EQ(batch->key, key);
    EXPECT_EQ(batch->bytes, content(key));
    spool->Remove(key);
  }
  EXPECT_LE(Drain(*spool).size(), 1U) << "at most the one that was renamed but not yet reported";
  EXPECT_EQ(Read(Metric::agent_spool_damaged), damaged);
}

}  // namespace
}  // namespace weir::agent
