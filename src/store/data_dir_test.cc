#include "store/data_dir.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include "store/engine/library.h"
#include "store/store_fixture.h"

namespace weir::store {
namespace {

using ::testing::HasSubstr;

void Write(const std::filesystem::path& path, std::string_view text) { std::ofstream(path) << text; }

// Runs the body in a process of its own and returns its exit code.
int InChild(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(DataDir, IsMadeAndReopened) {
  const TemporaryDirectory parent;
  const auto path = parent.path() / "a/b";
  for (int i = 0; i < 2; ++i) {
    const Result<DataDir> directory = DataDir::Open(path);
    ASSERT_TRUE(directory.ok()) << directory.status().message();
    EXPECT_TRUE(std::filesystem::is_directory(directory->clickhouse()));
    EXPECT_TRUE(directory->path().is_absolute());
  }
}

TEST(DataDir, IsHeldByOneOnly) {
  const TemporaryDirectory path;
  Result<DataDir> first = DataDir::Open(path.path());
  ASSERT_TRUE(first.ok());
  const int code = InChild([&] {
    const Result<DataDir> second = DataDir::Open(path.path());
    const std::string holder = fmt::format("process {};", getppid());
    return second.status().code() == Code::kConflict && second.status().message().find(holder) != std::string::npos ? 0
                                                                                                                    : 1;
  });
  EXPECT_EQ(code, 0) << "the other process is told who holds it";
  { const DataDir released = *std::move(first); }
  EXPECT_TRUE(DataDir::Open(path.path()).ok());
}

TEST(DataDir, RefusesNewerAndUnknownSchemas) {
  const TemporaryDirectory path;
  ASSERT_TRUE(DataDir::Open(path.path()).ok());
  Write(path.path() / "version", fmt::format("{}\n", kSchemaVersion + 1));
  Status status = DataDir::Open(path.path()).status();
  EXPECT_EQ(status.code(), Code::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("newer Weir"));
  Write(path.path() / "version", fmt::format("{}\n", kOldestConvertible - 1));
  status = DataDir::Open(path.path()).status();
  EXPECT_EQ(status.code(), Code::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("older Weir"));
  for (const std::string_view damaged : {"", "x\n", "1x\n", "-1\n", "99999999999999999999\n"}) {
    Write(path.path() / "version", damaged);
    status = DataDir::Open(path.path()).status();
    EXPECT_EQ(status.code(), Code::kCorrupt) << damaged;
    EXPECT_THAT(status.message(), HasSubstr("nothing in it was touched"));
  }
  std::filesystem::remove(path.path() / "version");
  EXPECT_EQ(DataDir::Open(path.path()).status().code(), Code::kCorrupt) << "data without a version";
}

TEST(DataDir, TellsWhatIsToBeConverted) {
  const TemporaryDirectory path;
  EXPECT_EQ(DataDir::Open(path.path())->version(), kSchemaVersion);
  Write(path.path() / "version", fmt::format("{}\n", kOldestConvertible));
  {
    auto directory = DataDir::Open(path.path());
    ASSERT_TRUE(directory.ok()) << directory.status().message();
    EXPECT_EQ(directory->version(), kOldestConvertible);
  }
  EXPECT_EQ(DataDir::Open(path.path())->version(), kOldestConvertible) << "nobody has converted it";
  EXPECT_TRUE(DataDir::Open(path.path())->WriteCurrentVersion().ok());
  EXPECT_EQ(DataDir::Open(path.path())->version(), kSchemaVersion);
}

TEST(DataDir, SaysWhatToDoWhenItCannotBeWritten) {
  const TemporaryDirectory parent;
  Write(parent.path() / "file", "");
  EXPECT_THAT(DataDir::Open(parent.path() / "file").status().message(), HasSubstr("choose another"));
  if (geteuid() != 0) GTEST_SKIP() << "NOT TESTED, for want of root: directories of other users and full disks";

  const int denied = InChild([&] {
    if (chmod(parent.path().c_str(), 0755) != 0 || seteuid(65534) != 0) return 2;
    const Status status = DataDir::Open(parent.path() / "data").status();
    return status.code() == Code::kDenied && status.message().find("owner") != std::string::npos ? 0 : 1;
  });
  EXPECT_EQ(denied, 0);
  const int full = InChild([&] {
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 77;
    if (mount("tmpfs", parent.path().c_str(), "tmpfs", 0, "size=16k") != 0) return 77;
    Write(parent.path() / "ballast", std::string(64 * 1024, 'x'));
    const Status status = DataDir::Open(parent.path()).status();
    return status.code() == Code::kExhausted && status.message().find("make room") != std::string::npos ? 0 : 1;
  });
  if (full == 77) GTEST_SKIP() << "NOT TESTED, for want of mount namespaces: full disks";
  EXPECT_EQ(full, 0);
}

TEST(Library, SaysWhereItWasLookedForAndHowToGetIt) {
  const Status named = FindLibrary("/nonexistent/libchdb.so").status();
  EXPECT_EQ(named.code(), Code::kNotFound);
  EXPECT_THAT(
      named.message(),
      HasSubstr("no storage library at /nonexistent/libchdb.so; install the package weir-store, or get libchdb"));

  const TemporaryDirectory folder;
  const std::string wanted = (folder.path() / "libchdb.so").string();
  Write(wanted, "not a library");
  EXPECT_EQ(FindLibrary(wanted)->string(), wanted);
  const Status loaded = LoadLibrary(wanted).status();
  EXPECT_EQ(loaded.code(), Code::kUnsupported);
  EXPECT_THAT(loaded.message(), HasSubstr("cannot load the storage library"));
}

TEST(Library, TheEnvironmentComesFirst) {
  const char* before = std::getenv("WEIR_LIBCHDB");
  const std::optional<std::string> saved = before != nullptr ? std::optional<std::string>(before) : std::nullopt;
  setenv("WEIR_LIBCHDB", "/somewhere/libchdb.so", 1);
  EXPECT_EQ(LibraryCandidates().front(), "/somewhere/libchdb.so");
  unsetenv("WEIR_LIBCHDB");
  EXPECT_NE(LibraryCandidates().front(), "/somewhere/libchdb.so");
  if (saved) setenv("WEIR_LIBCHDB", saved->c_str(), 1);
}

TEST(Library, AnotherLibraryIsNotMistakenForIt) {
  const Status status = LoadLibrary("libm.so.6").status();
  EXPECT_EQ(status.code(), Code::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("is not a libchdb"));
}

}  // namespace
}  // namespace weir::store
