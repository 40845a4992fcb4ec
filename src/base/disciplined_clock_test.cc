#include "base/disciplined_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace weir {
namespace {

using testing::HasSubstr;

constexpr Nanos kSecond = 1'000'000'000;
constexpr Nanos kDay = 86'400 * kSecond;
constexpr Nanos kBegin = 1'764'000'000 * kSecond;

// A machine whose clocks a test moves.
struct Machine {
  ClockReading now{kBegin, 7 * kSecond, 10 * kSecond, false};
  void Pass(Nanos by) {
    now.wall += by;
    now.monotonic += by;
    now.since_boot += by;
  }
  // Time passes and somebody reads the clock, as in a server that works.
  void Run(const DisciplinedClock& clock, Nanos by) {
    for (Nanos passed = 0; passed < by; passed += kSecond) {
      Pass(kSecond);
      clock.WallNanos();
    }
  }
  std::function<ClockReading()> reader() {
    return [this] { return now; };
  }
};

class DisciplinedClockTest : public testing::Test {
 protected:
  DisciplinedClockTest() {
    char pattern[] = "/tmp/weir-clock-XXXXXX";
    folder_ = mkdtemp(pattern);
  }
  ~DisciplinedClockTest() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path file() const { return folder_ / "clock"; }

  Machine machine_;
  std::filesystem::path folder_;
};

TEST_F(DisciplinedClockTest, GoesWithTheMachineAndItsSmallCorrections) {
  const DisciplinedClock clock(machine_.reader(), "boot");
  EXPECT_EQ(clock.WallNanos(), kBegin);
  machine_.Pass(5 * kSecond);
  machine_.now.wall -= kSecond / 2;
  EXPECT_EQ(clock.WallNanos(), machine_.now.wall);
  EXPECT_EQ(clock.MonotonicNanos(), 12 * kSecond);
  EXPECT_EQ(clock.Trouble(), "");
}

TEST_F(DisciplinedClockTest, AShortJumpChangesNothing) {
  const DisciplinedClock clock(machine_.reader(), "boot");
  for (const Nanos by : {500 * kDay, 5 * kDay, -5 * kDay, 3 * kSecond}) {
    const Nanos before = clock.WallNanos();
    machine_.now.wall += by;
    machine_.Run(clock, 28 * kSecond);
    EXPECT_EQ(clock.WallNanos(), before + 28 * kSecond) << by;
    EXPECT_THAT(clock.Trouble(), HasSubstr(by > 0 ? "set ahead" : "set back"));
    machine_.now.wall -= by;
    machine_.Pass(kSecond);
    EXPECT_EQ(clock.WallNanos(), before + 29 * kSecond) << by;
    EXPECT_EQ(clock.Trouble(), "");
    EXPECT_EQ(clock.SkippedSince(0), 0);
  }
}

TEST_F(DisciplinedClockTest, AStepThatLastsIsTakenOverAndItsLengthKnown) {
  const DisciplinedClock clock(machine_.reader(), "boot");
  machine_.now.wall += 500 * kDay;
  machine_.Run(clock, 125 * kSecond);
  EXPECT_EQ(clock.WallNanos(), machine_.now.wall);
  EXPECT_EQ(clock.SkippedSince(kBegin / 1'000'000), 500 * kDay / 1'000'000) << "of what was stored before";
  EXPECT_EQ(clock.SkippedSince(machine_.now.wall / 1'000'000), 0) << "of what is stored from now on";
  EXPECT_THAT(clock.Trouble(), HasSubstr("500 days"));
  machine_.now.wall -= 500 * kDay;
  machine_.Run(clock, 125 * kSecond);
  EXPECT_EQ(clock.WallNanos(), machine_.now.wall);
  EXPECT_THAT(clock.Trouble(), HasSubstr("set back by 500 days"));
}

TEST_F(DisciplinedClockTest, NtpIsBelievedSooner) {
  const DisciplinedClock clock(machine_.reader(), "boot");
  machine_.now.wall += 3 * kDay;
  machine_.now.synchronised = true;
  machine_.Run(clock, 12 * kSecond);
  EXPECT_EQ(clock.WallNanos(), machine_.now.wall);
  EXPECT_EQ(clock.SkippedSince(kBegin / 1'000'000), 3 * kDay / 1'000'000) << "elapsed is what the machine ran";
}

TEST_F(DisciplinedClockTest, SleepIsNoJump) {
  const DisciplinedClock clock(machine_.reader(), "boot");
  machine_.now.wall += kDay;
  machine_.now.since_boot += kDay;
  EXPECT_EQ(clock.WallNanos(), kBegin + kDay);
  EXPECT_EQ(clock.Trouble(), "");
}

TEST_F(DisciplinedClockTest, ARestartDuringAJumpIsNotFooled) {
  {
    const DisciplinedClock clock(machine_.reader(), "boot");
    ASSERT_TRUE(clock.Save(file()).ok());
  }
  machine_.Pass(60 * kSecond);
  machine_.now.wall += 500 * kDay;
  DisciplinedClock clock(machine_.reader(), "boot");
  clock.Load(file());
  EXPECT_EQ(clock.WallNanos(), kBegin + 60 * kSecond);
}

TEST_F(DisciplinedClockTest, TimeTheMachineWasOffCountsOnlyWhenNtpVouchesForIt) {
  {
    const DisciplinedClock clock(machine_.reader(), "boot");
    ASSERT_TRUE(clock.Save(file()).ok());
  }
  machine_.now.wall += 30 * kDay;
  machine_.now.since_boot = kSecond;
  DisciplinedClock clock(machine_.reader(), "another boot");
  clock.Load(file());
  EXPECT_EQ(clock.WallNanos(), machine_.now.wall);
  EXPECT_EQ(clock.SkippedSince(kBegin / 1'000'000), 30 * kDay / 1'000'000);
  machine_.now.synchronised = true;
  DisciplinedClock sure(machine_.reader(), "another boot");
  sure.Load(file());
  EXPECT_EQ(sure.SkippedSince(kBegin / 1'000'000), 0);
}

TEST_F(DisciplinedClockTest, JumpsAreKeptAcrossRestartsWithinABound) {
  {
    const DisciplinedClock clock(machine_.reader(), "boot");
    for (size_t i = 0; i < DisciplinedClock::kMaxJumps + 10; ++i) {
      machine_.now.wall += kDay;
      machine_.Run(clock, 125 * kSecond);
    }
    ASSERT_TRUE(clock.Save(file()).ok());
  }
  DisciplinedClock clock(machine_.reader(), "boot");
  clock.Load(file());
  EXPECT_EQ(clock.SkippedSince(kBegin / 1'000'000), 74 * kDay / 1'000'000) << "none is forgotten";
}

TEST_F(DisciplinedClockTest, AFileThatIsNoneIsIgnored) {
  for (const char* text : {"", "boot", "boot x y", "boot -5 7", "boot 5 7 junk"}) {
    std::ofstream(file()) << text;
    DisciplinedClock clock(machine_.reader(), "boots");
    clock.Load(file());
    EXPECT_EQ(clock.WallNanos(), kBegin) << text;
  }
}

TEST_F(DisciplinedClockTest, TheMachinesOwnClocksAreRead) {
  const ClockReading reading = ReadMachineClocks();
  EXPECT_GT(reading.wall, 1'600'000'000 * kSecond);
  EXPECT_GE(reading.since_boot, reading.monotonic);
  EXPECT_EQ(ReadBootId().size(), 36U);
}

}  // namespace
}  // namespace weir
