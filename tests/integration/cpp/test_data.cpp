// tests/integration/cpp/test_data.cpp: DataNode with a real server.  Directories stand for hosts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <linden/client.h>
#include <linden/data.h>
#include <linden/space.h>

#include "server_process.h"

namespace linden {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr std::size_t kLarge = std::size_t{3} << 20;

// A process of a farm on a host of its own.
class Host {
 public:
  Host(const std::string& address, const fs::path& base, const std::string& listen)
      : client_(connect(address)), directory_(base) {
    fs::create_directories(directory_ / "memory");
    fs::create_directories(directory_ / "disk");
    SpaceOptions options;
    options.create = true;
    DataOptions data;
    data.memory_directory = directory_ / "memory";
    data.disk_directory = directory_ / "disk";
    data.listen = listen;
    node_.emplace(DataNode::join(client_.open_space("farm", options), data));
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  ~Host() {
    node_.reset();
    client_.close();
  }

  DataNode& node() { return *node_; }
  Space space() { return client_.open_space("farm"); }
  void forget_holders() {
    auto space = this->space();
    while (space.try_take(Template{"data_holder", kText, kText, kList})) {
    }
  }

 private:
  static Client connect(const std::string& address) {
    ConnectOptions options;
    options.address = address;
    return Client::connect(options);
  }

  Client client_;
  fs::path directory_;
  std::optional<DataNode> node_;
};

class DataTest : public ::testing::Test {
 protected:
  DataTest() {
    std::string pattern = (fs::temp_directory_path() / "linden-data-XXXXXX").string();
    base_ = ::mkdtemp(pattern.data());
  }
  ~DataTest() override { fs::remove_all(base_); }

  [[nodiscard]] std::unique_ptr<Host> host(const std::string& name,
                                           const std::string& listen = "") {
    return std::make_unique<Host>(server_.address(), base_ / name, listen);
  }

  testing::ServerProcess server_;
  fs::path base_;
};

TEST_F(DataTest, ProcessesOfAHostShareOneCopy) {
  const auto one = host("a");
  const auto other = host("a");
  EXPECT_EQ(one->node().farm_id(), other->node().farm_id());
  EXPECT_EQ(one->node().store_id(), other->node().store_id());
  const DataRef ref = one->node().put(std::string(kLarge, 'x'));
  const DataRef again = other->node().put(std::string(kLarge, 'x'));
  EXPECT_EQ(ref, again);
  EXPECT_EQ(other->node().get(ref).view(), std::string(kLarge, 'x'));
  EXPECT_EQ(one->node().usage().count, 1U);
}

TEST_F(DataTest, HostsFetchFromEachOther) {
  const auto here = host("a", "127.0.0.1");
  const auto there = host("b", "127.0.0.1");
  const DataRef ref = here->node().put(std::string(kLarge, 'x'));
  EXPECT_FALSE(there->node().is_here(ref));
  std::vector<std::jthread> threads;  // one of them fetches, the others wait for it
  threads.reserve(4);
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] { EXPECT_EQ(there->node().get(ref, seconds(30)).size(), kLarge); });
  threads.clear();
  EXPECT_TRUE(there->node().is_here(ref));
}

TEST_F(DataTest, WhereNobodyListensTheSpaceCarries) {
  const auto here = host("a");  // over a Unix socket: no address
  const auto there = host("b");
  const std::string bytes(std::size_t{20} << 20, 'y');
  const DataRef ref = here->node().put(bytes);
  EXPECT_EQ(there->node().get(ref, seconds(30)).view(), bytes);
  EXPECT_EQ(there->space().count(Template{"data_part", kText, kText, kInt, kInt, kBytes}), 0U);
}

TEST_F(DataTest, WhatWasUploadedStaysUntilNoTupleNamesIt) {
  const auto here = host("a");
  const DataRef ref = here->node().upload(std::string(kLarge, 'z'));
  auto space = here->space();
  space.put(data_use(ref, "client", 1, "argument"));
  here->node().drop_uploaded(ref.name);
  EXPECT_EQ(host("b")->node().get(ref).size(), kLarge);
  space.take(Template{"data", ref.name, "client", 1, "argument"});
  here->node().drop_uploaded(ref.name);
  EXPECT_EQ(space.count(Template{"data_part", kText, kText, kInt, kInt, kBytes}), 0U);
}

TEST_F(DataTest, TheSweepSparesWhatIsInUseOrNamed) {
  const auto one = host("a");
  auto space = one->space();
  DataRef named = one->node().put(std::string(kLarge, '1'));
  DataRef used = one->node().put(std::string(kLarge, '2'));
  DataRef neither = one->node().put(std::string(kLarge, '3'));
  space.put(data_use(named, "client", 1, "result"));
  named.use.reset();
  neither.use.reset();
  EXPECT_EQ(one->node().sweep(), 1U);
  EXPECT_TRUE(one->node().is_here(named));
  EXPECT_TRUE(one->node().is_here(used));
  EXPECT_FALSE(one->node().is_here(neither));
}

// The engines of a set whose parent has died, beside others of the same farm.
TEST_F(DataTest, WhoLeavesRemovesNothingThatOthersHaveOpen) {
  const auto one = host("a");
  const DataRef ref = one->node().put(std::string(kLarge, 'x'));
  host("a")->node().leave(DataNode::Remove::kIfLast);
  EXPECT_EQ(one->node().get(ref).size(), kLarge);
  one->node().leave(DataNode::Remove::kIfLast);
  EXPECT_TRUE(fs::is_empty(base_ / "a" / "memory"));
}

TEST_F(DataTest, WhatIsLostIsSaidToBeLostAtOnce) {
  const auto here = host("a");
  DataRef ref;
  {
    const auto there = host("b", "127.0.0.1");
    ref = there->node().put(std::string(kLarge, 'x'));
  }
  here->forget_holders();  // as the space does when their session ends
  try {
    static_cast<void>(here->node().get(ref));
    FAIL() << "nobody has it";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNoMatch);
    EXPECT_THAT(error.what(), HasSubstr(ref.name));
  }
}

TEST_F(DataTest, AHolderThatSaysNothingIsNotWaitedForForEver) {
  const auto here = host("a");
  const auto there = host("b");
  const DataRef ref = there->node().put(std::string(kLarge, 'x'));
  fs::remove_all(base_ / "b" / "memory");  // it cannot give what it has no more
  try {
    static_cast<void>(here->node().get(ref, std::chrono::milliseconds(300)));
    FAIL() << "nobody has it";
  } catch (const Error& error) {
    EXPECT_THAT(error.code(), ::testing::AnyOf(ErrorCode::kOutcomeUnknown, ErrorCode::kNoMatch));
  }
}

TEST_F(DataTest, ArgumentsOfClientsThatHaveDiedAreTakenBackOnceTheirTasksHaveEnded) {
  const auto here = host("a");
  const DataRef ref = here->node().upload(std::string(kLarge, 'x'));
  auto space = here->space();
  const std::string own = to_string(space.client().session());
  space.put(data_use(ref, own, 1, "argument"));
  space.put(data_use(ref, "dead", 1, "argument"));
  space.put(data_use(ref, "dead", 2, "argument"));
  space.put(data_use(ref, "dead", 1, "result"));
  space.put(Tuple{"result", own, 1, "ok", List{}, nullptr});
  space.put(Tuple{"result", "dead", 1, "ok", List{}, nullptr});
  EXPECT_EQ(here->node().drop_orphans(), std::vector{ref.name});
  EXPECT_EQ(space.count(Template{"data", ref.name, "dead", 1, "argument"}), 0U);
  EXPECT_EQ(space.count(Template{"data", ref.name, kText, kInt, kText}), 3U);
  here->node().drop_uploaded(ref.name);
  EXPECT_EQ(here->node().get(ref).size(), kLarge) << "others name it";
  EXPECT_TRUE(here->node().drop_orphans().empty());
}

TEST_F(DataTest, LargeBytesGoByReferenceAndComeBackAsBytes) {
  const auto one = host("a");
  const auto other = host("a");
  const Value field = List{Bytes::adopt(std::string(kLarge, 'x')), Bytes::copy_of("small")};
  std::vector<DataRef> refs;
  const Value reference = one->node().offload(field, refs);
  EXPECT_EQ(refs.size(), 1U);
  EXPECT_EQ(reference.as_list()[0].as_object().codec, "bytes+data");
  EXPECT_EQ(reference.as_list()[1], Bytes::copy_of("small"));
  EXPECT_EQ(other->node().resolve(reference), field);
  const Value broken = Object{"bytes+data", {Bytes::copy_of(one->node().farm_id() + "\n")}};
  EXPECT_THROW(static_cast<void>(one->node().resolve(broken)), Error);
}

TEST_F(DataTest, LargePartsOfFieldsGoByReferenceAndComeBack) {
  const auto one = host("a");
  const auto other = host("a");
  const Object object{"ndarray",
                      {Bytes::copy_of("<i1 3145728"), Bytes::adopt(std::string(kLarge, 'x'))}};
  const Value field = List{1, object, List{"small", object}};
  std::vector<DataRef> refs;
  const Value reference = one->node().offload(field, refs);
  EXPECT_EQ(refs.size(), 2U);
  EXPECT_EQ(reference.as_list()[1].as_object().codec, "ndarray+data");
  EXPECT_EQ(other->node().resolve(reference), field);
  std::vector<DataRef> none;
  const Value small = List{1, Object{"pickle", {Bytes::copy_of("x")}}};
  EXPECT_EQ(one->node().offload(small, none), small);
  EXPECT_TRUE(none.empty());
  const Value broken = Object{"ndarray+data", {Bytes::copy_of("no table")}};
  EXPECT_THROW(static_cast<void>(one->node().resolve(broken)), Error);
}

}  // namespace
}  // namespace linden
