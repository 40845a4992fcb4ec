#include "cli/text.h"

#include <gtest/gtest.h>

#include "cli/units.h"

namespace weir::cli {
namespace {

TEST(Printable, HostileNamesAreHarmlessAndVisible) {
  EXPECT_EQ(Printable("nginx"), "nginx");
  EXPECT_EQ(Printable("a\x1b[31mred"), "a\\x1b[31mred");
  EXPECT_EQ(Printable("line\nbreak\r"), "line\\x0abreak\\x0d");
  EXPECT_EQ(Printable(std::string_view("nul\0x", 5)), "nul\\x00x");
  EXPECT_EQ(Printable("c1\xc2\x9b"
                      "31m"),
            "c1\\x9b31m");
  EXPECT_EQ(Printable("flip\xe2\x80\xaetxt"), "flip\\u202etxt");
  EXPECT_EQ(Printable("bad\xff utf"), "bad\\xff utf");
  EXPECT_EQ(Printable("over\xc0\xaflong"), "over\\xc0\\xaflong");
  EXPECT_EQ(Printable("naïve 日本"), "naïve 日本");
}

TEST(Printable, CutsByCellsNotBytes) {
  EXPECT_EQ(Printable("abcdef", 6), "abcdef");
  EXPECT_EQ(Printable("abcdef", 5), "abcd…");
  EXPECT_LE(Width(Printable(std::string(10'000, '\x1b'), 20)), 20U);
  EXPECT_EQ(Width("日本"), 4U);
  EXPECT_EQ(PadLeft("日", 4), "  日");
  EXPECT_EQ(PadRight("é", 3), "é  ");
}

TEST(Csv, QuotesAndDefusesFormulas) {
  EXPECT_EQ(CsvField("plain", false), "plain");
  EXPECT_EQ(CsvField("a,\"b\"", false), "\"a,\"\"b\"\"\"");
  EXPECT_EQ(CsvField("=HYPERLINK(1)", false), "'=HYPERLINK(1)");
  EXPECT_EQ(CsvField("-5", true), "-5");
}

TEST(Units, ThreeDigitsAndAUnit) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(1023), "1023 B");
  EXPECT_EQ(FormatBytes(1536), "1.5 KiB");
  EXPECT_EQ(FormatBytes(1024.0 * 1023.9), "1 MiB");
  EXPECT_EQ(FormatMicros(41.2), "41.2 µs");
  EXPECT_EQ(FormatMicros(1250), "1.25 ms");
  EXPECT_EQ(FormatMicros(3.2e6), "3.2 s");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(12'345), "12.3k");
  EXPECT_EQ(FormatCount(999'999), "1M");
  EXPECT_EQ(FormatPercent(0), "0 %");
  EXPECT_EQ(FormatPercent(0.001), "<0.01 %");
  EXPECT_EQ(FormatPercent(12.34), "12.3 %");
}

}  // namespace
}  // namespace weir::cli
