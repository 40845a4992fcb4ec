#include "server/geo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <vector>

namespace weir::server {
namespace {

// Writes databases of the MaxMind DB file format, version 2.0 (https://maxmind.github.io/MaxMind-DB/), small ones.
class DatabaseWriter {
 public:
  using Fields = std::vector<std::pair<std::string, std::string>>;  // encoded values by key

  static std::string Text(std::string_view text) { return Sized(2, text.size()) + std::string(text); }
  static std::string Number(int type, uint64_t value, int bytes) {
    std::string out = Sized(type, static_cast<size_t>(bytes));
    for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
    return out;
  }
  static std::string Map(const Fields& fields) {
    std::string out = Sized(7, fields.size());
    for (const auto& [key, value] : fields) out += Text(key) + value;
    return out;
  }

  void Add(std::string_view address, int bits, const std::string& value) {
    const model::Address parsed = *model::Address::Parse(address);
    const bool v4 = parsed.is_v4();
    const uint32_t offset = static_cast<uint32_t>(data_.size());
    data_ += value;
    size_t node = 0;
    const int all = v4 ? bits + 96 : bits;
    for (int i = 0; i < all; ++i) {
      // IPv4 lies below ::/96.
      const int bit = v4 && i < 96 ? 0 : parsed.bytes[static_cast<size_t>(i) / 8] >> (7 - i % 8) & 1;
      if (i + 1 == all) {
        nodes_[node][static_cast<size_t>(bit)] = {true, offset};
        return;
      }
      Record& next = nodes_[node][static_cast<size_t>(bit)];
      if (next.value == 0) {
        next.value = static_cast<uint32_t>(nodes_.size());
        const size_t fresh = nodes_.size();
        nodes_.emplace_back();
        node = fresh;
      } else {
        node = next.value;
      }
    }
  }

  std::string Finish(const std::string& type) const {
    const uint32_t count = static_cast<uint32_t>(nodes_.size());
    std::string out;
    for (const auto& node : nodes_) {
      for (const Record& record : node) {
        const uint32_t value = record.data ? count + 16 + record.value : record.value == 0 ? count : record.value;
        for (int i = 2; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
      }
    }
    out += std::string(16, '\0') + data_;
    out += "\xab\xcd\xefMaxMind.com";
    out += Map({{"binary_format_major_version", Number(5, 2, 2)},
                {"binary_format_minor_version", Number(5, 0, 2)},
                {"build_epoch", Number(9, 1'764'500'000, 8)},
                {"database_type", Text(type)},
                {"description", Map({})},
                {"ip_version", Number(5, 6, 2)},
                {"languages", Sized(11, 0)},
                {"node_count", Number(6, count, 4)},
                {"record_size", Number(5, 24, 2)}});
    return out;
  }

 private:
  struct Record {
    bool data = false;
    uint32_t value = 0;
  };

  static std::string Sized(int type, size_t size) {
    std::string out;
    const size_t small = std::min<size_t>(size, 29);
    out += static_cast<char>((type > 7 ? 0 : type) << 5 | static_cast<int>(small));
    if (type > 7) out += static_cast<char>(type - 7);
    if (small == 29) out += static_cast<char>(size - 29);
    return out;
  }

  std::vector<std::array<Record, 2>> nodes_{1};
  std::string data_;
};

std::string Write(const std::string& name, const std::string& bytes) {
  const std::string path = testing::TempDir() + name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

std::string Asn(uint32_t number, std::string_view organization) {
  return DatabaseWriter::Map({{"autonomous_system_number", DatabaseWriter::Number(6, number, 4)},
                              {"autonomous_system_organization", DatabaseWriter::Text(organization)}});
}

std::string Country(std::string_view code) {
  return DatabaseWriter::Map({{"country", DatabaseWriter::Map({{"iso_code", DatabaseWriter::Text(code)}})}});
}

model::Address Ip(std::string_view text) { return *model::Address::Parse(text); }

TEST(Geo, CountryAndOrganizationComeFromWhicheverFileHasThem) {
  DatabaseWriter networks;
  networks.Add("203.0.113.0", 24, Asn(64'500, "Example Networks"));
  networks.Add("2001:db8::", 32, Asn(64'501, std::string(40, 'x')));
  DatabaseWriter countries;
  countries.Add("203.0.113.128", 25, Country("DE"));
  const std::string files = Write("geo-asn.mmdb", networks.Finish("GeoLite2-ASN")) + "," +
                            Write("geo-country.mmdb", countries.Finish("GeoLite2-Country"));
  const auto geo = Geo::Open(files);
  ASSERT_TRUE(geo.ok()) << geo.status().message();
  EXPECT_EQ((*geo)->Find(Ip("203.0.113.200")).organization, "AS64500 Example Networks");
  EXPECT_EQ((*geo)->Find(Ip("203.0.113.200")).country, "DE");
  EXPECT_EQ((*geo)->Find(Ip("203.0.113.1")).country, "");
  EXPECT_EQ((*geo)->Find(Ip("2001:db8::1")).organization, "AS64501 " + std::string(40, 'x'));
  EXPECT_EQ((*geo)->Find(Ip("198.51.100.1")).organization, "");
  ASSERT_EQ((*geo)->files().size(), 2U);
  EXPECT_EQ((*geo)->files()[0].kind, "GeoLite2-ASN");
  EXPECT_EQ((*geo)->files()[0].built_ms, 1'764'500'000'000);
}

TEST(Geo, FieldsOfOtherTypesAreNoNames) {
  DatabaseWriter odd;
  odd.Add("203.0.113.0", 24,
          DatabaseWriter::Map(
              {{"autonomous_system_number", DatabaseWriter::Text("7")}, {"country", DatabaseWriter::Text("DE")}}));
  const auto geo = Geo::Open(Write("geo-odd.mmdb", odd.Finish("Odd")));
  ASSERT_TRUE(geo.ok()) << geo.status().message();
  EXPECT_EQ((*geo)->Find(Ip("203.0.113.1")).organization, "");
  EXPECT_EQ((*geo)->Find(Ip("203.0.113.1")).country, "");
}

TEST(Geo, FilesThatAreNoDatabasesAreRefusedByName) {
  const auto missing = Geo::Open("/no/such.mmdb");
  EXPECT_EQ(missing.status().code(), Code::kNotFound);
  DatabaseWriter whole;
  whole.Add("203.0.113.0", 24, Country("DE"));
  const std::string bytes = whole.Finish("GeoLite2-Country");
  for (const std::string& text : {std::string(), std::string("{}"), bytes.substr(0, bytes.size() / 2)}) {
    const auto broken = Geo::Open(Write("geo-broken.mmdb", text));
    EXPECT_EQ(broken.status().code(), Code::kInvalid) << text.size();
    EXPECT_THAT(broken.status().message(), testing::HasSubstr("geo-broken.mmdb"));
  }
}

// What is cut off behind the tree points to nowhere: the library says so, or finds nothing; it must not read beyond.
TEST(Geo, DamagedDatabasesNameNobody) {
  DatabaseWriter whole;
  whole.Add("203.0.113.0", 24, Asn(64'500, "Example Networks"));
  const std::string bytes = whole.Finish("GeoLite2-ASN");
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x55);
    const auto geo = Geo::Open(Write("geo-damaged.mmdb", damaged));
    if (geo.ok()) (*geo)->Find(Ip("203.0.113.1"));
  }
}

}  // namespace
}  // namespace weir::server
