// What happens per second, from what a server has counted.
#include "space/admin/rates.h"

#include <gtest/gtest.h>

namespace linden::admin {
namespace {

using namespace std::chrono_literals;

SpaceStatus space(std::uint32_t number, std::uint64_t puts) {
  SpaceStatus status;
  status.number = {number};
  status.puts = puts;
  return status;
}

ServerInfo server(std::uint64_t requests) {
  ServerInfo info;
  info.requests = requests;
  return info;
}

TEST(Rates, AreTheDifferenceOfTwoLooks) {
  Rates rates;
  const Rates::Time start{};
  rates.look(server(100), {space(1, 50)}, start);
  EXPECT_EQ(rates.of(space(1, 50)).puts, 0);
  EXPECT_EQ(rates.of_server().first, 0);
  rates.look(server(300), {space(1, 60)}, start + 2s);
  EXPECT_EQ(rates.of(space(1, 60)).puts, 5);
  EXPECT_EQ(rates.of_server().first, 100);
  rates.look(server(300), {space(1, 60)}, start + 4s);
  EXPECT_EQ(rates.of(space(1, 60)).puts, 0);
}

// What a space that is new has counted was not in this time.
TEST(Rates, OfANewSpaceAreNotKnownYet) {
  Rates rates;
  rates.look(server(0), {}, {});
  rates.look(server(0), {space(2, 1000)}, Rates::Time{} + 1s);
  EXPECT_EQ(rates.of(space(2, 1000)).puts, 0);
}

// It counts from 0 then.
TEST(Rates, OutliveARestartOfTheServer) {
  Rates rates;
  rates.look(server(1000), {space(1, 1000)}, {});
  rates.look(server(20), {space(1, 10)}, Rates::Time{} + 1s);
  EXPECT_EQ(rates.of(space(1, 10)).puts, 10);
  EXPECT_EQ(rates.of_server().first, 20);
}

TEST(Rates, AreShortToRead) {
  EXPECT_EQ(per_second(0), "0");
  EXPECT_EQ(per_second(0.26), "0.3");
  EXPECT_EQ(per_second(9.96), "10");
  EXPECT_EQ(per_second(12345.6), "12346");
}

}  // namespace
}  // namespace linden::admin
