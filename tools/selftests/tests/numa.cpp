// SPDX-License-Identifier: GPL-2.0
// The NUMA nodes of an enclave's pages: the node of the calling CPU, while that has free pages.

#include <fstream>
#include <optional>

#include <sched.h>
#include <unistd.h>

#include "fixture.h"

using namespace sgx;

namespace {

constexpr u64 page = page_size;

/// Returns the first CPU of a node.
std::optional<int> cpu_of(unsigned node)
{
	std::ifstream file("/sys/devices/system/node/node" + std::to_string(node) + "/cpulist");
	int cpu = 0;
	return file >> cpu ? std::optional(cpu) : std::nullopt;
}

unsigned nodes()
{
	unsigned count = 0;
	while (cpu_of(count))
		count++;
	return count;
}

// Also on a single node and with the in-tree driver: runtimes and schedulers read this file.
TEST(Node, ReportsEpcSize)
{
	const std::vector<Processor::Section> sections = Processor::epc_sections();
	std::vector<u64> expected(nodes()), found;
	// The check runner puts section n on node n.
	for (size_t s = 0; s < sections.size(); s++)
		expected[s < expected.size() ? s : 0] += sections[s].size;
	u64 sum = 0;
	for (size_t node = 0; node < expected.size(); node++) {
		std::ifstream file("/sys/devices/system/node/node" + std::to_string(node) + "/x86/sgx_total_bytes");
		u64 bytes = 0;
		// A node without EPC does not have this file.
		found.push_back(file >> bytes ? bytes : 0);
		EXPECT_EQ(static_cast<bool>(file), bytes > 0) << "node " << node;
		sum += bytes;
	}
	EXPECT_EQ(sum, Processor::epc_bytes());
	if (isa::Monitor::find()) {
		EXPECT_EQ(found, expected);
	}
}

/// Runs this thread on a node until the destructor runs.
class OnNode {
public:
	explicit OnNode(unsigned node)
	{
		sched_getaffinity(0, sizeof(before_), &before_);
		cpu_set_t one;
		CPU_ZERO(&one);
		CPU_SET(*cpu_of(node), &one);
		must(errno_of(sched_setaffinity(0, sizeof(one), &one)), "sched_setaffinity");
	}
	~OnNode() { sched_setaffinity(0, sizeof(before_), &before_); }
	OnNode(const OnNode &) = delete;
	OnNode &operator=(const OnNode &) = delete;

private:
	cpu_set_t before_;
};

class Numa : public testing::Test {
protected:
	/// The machine makes the sections in the order of the command line: the check runner puts section n on node n.
	void SetUp() override
	{
		if (!machine)
			GTEST_SKIP() << "needs a machine that shows the EPCM";
		if (nodes() < 2)
			GTEST_SKIP() << "needs two nodes";
	}
	/// Returns the number of pages of a range in each section.
	std::vector<u64> count(const Enclave &enclave, u64 offset, u64 length) const
	{
		std::vector<u64> found(sections.size());
		each([&](const isa::EpcmEntry &entry, size_t section) {
			if (entry.linear >= enclave.at(offset) && entry.linear < enclave.at(offset + length))
				found[section]++;
		});
		return found;
	}
	/// Returns the number of valid entries in each section, of any enclave.
	std::vector<u64> taken() const
	{
		std::vector<u64> found(sections.size());
		each([&](const isa::EpcmEntry &, size_t section) { found[section]++; });
		return found;
	}
	template <typename Look>
	void each(Look look) const
	{
		for (u64 i = 0; i < machine->pages(); i++) {
			const isa::EpcmEntry entry = machine->entry(i);
			for (size_t s = 0; entry.valid() && s < sections.size(); s++) {
				if (entry.phys - sections[s].base < sections[s].size)
					look(entry, s);
			}
		}
	}
	/// Accesses pages one after the other.
	static void grow(const Enclave &enclave, u64 offset, u64 length)
	{
		enclave.map(offset, length, PROT_READ | PROT_WRITE);
		ASSERT_TRUE(whole(enclave.ask(request(Op::accept, enclave.at(offset), length, REG | RW | PENDING))));
	}

	const std::unique_ptr<isa::Monitor> machine = isa::Monitor::find();
	const std::vector<Processor::Section> sections = Processor::epc_sections();
};

TEST_F(Numa, PagesAreOnCallersNode)
{
	if (sections.size() < nodes())
		GTEST_SKIP() << "needs EPC on each node";
	constexpr u64 some = 64 * page;
	for (unsigned node = 0; node < nodes(); node++) {
		const OnNode here(node);
		const Enclave enclave;
		const u64 offset = enclave.image().end;
		std::vector<u64> here_alone(sections.size());
		here_alone[node] = enclave.image().heap_length / page;
		EXPECT_EQ(count(enclave, enclave.image().heap, enclave.image().heap_length), here_alone)
			<< "added by ADD_PAGES on node " << node;
		grow(enclave, offset, some);
		here_alone[node] = some / page;
		EXPECT_EQ(count(enclave, offset, some), here_alone) << "added by faults on node " << node;
		if (!Driver::is_sgx2())
			continue;
		const Progress p = enclave.device().augment_pages(offset + some, some);
		EXPECT_EQ(p, (Progress{0, some, 0}));
		EXPECT_EQ(count(enclave, offset + some, some), here_alone) << "added by AUGMENT_PAGES on node " << node;
	}
}

// The thread of one enclave moves between the nodes.
TEST_F(Numa, EachFaultPrefersItsNode)
{
	if (sections.size() < nodes())
		GTEST_SKIP() << "needs EPC on each node";
	const Enclave enclave;
	for (unsigned node = 0; node < nodes(); node++) {
		const u64 offset = enclave.image().end + node * 16 * page;
		const OnNode here(node);
		grow(enclave, offset, 16 * page);
		std::vector<u64> here_alone(sections.size());
		here_alone[node] = 16;
		EXPECT_EQ(count(enclave, offset, 16 * page), here_alone) << node;
	}
}

TEST_F(Numa, FullNodeFallsBack)
{
	if (sections.size() < nodes())
		GTEST_SKIP() << "needs EPC on each node";
	const u64 own = sections[1].size / page, wanted = own + 256;
	const OnNode here(1);
	const Enclave enclave;
	grow(enclave, enclave.image().end, wanted * page);
	const std::vector<u64> found = count(enclave, enclave.image().end, wanted * page), all = taken();
	EXPECT_EQ(found[0] + found[1], wanted) << "no page was evicted";
	EXPECT_EQ(all[1], own) << "a page is on another node although this node had a free page";
	EXPECT_LT(found[0], wanted / 4);
}

TEST_F(Numa, NodeWithoutEpcFallsBack)
{
	if (sections.size() >= nodes())
		GTEST_SKIP() << "needs a node without EPC";
	const OnNode here(nodes() - 1);
	const Enclave enclave;
	grow(enclave, enclave.image().end, 64 * page);
	EXPECT_EQ(count(enclave, enclave.image().end, 64 * page)[0], 64U);
	// Evicted pages are also loaded on the other node.
	const u64 much = Processor::epc_bytes() / page * 5 / 4 / 16 * 16;
	grow(enclave, enclave.image().end + 64 * page, much * page);
	Request r = request(Op::fill, enclave.at(enclave.image().end), 64 * page);
	EXPECT_TRUE(whole(enclave.ask(r)));
}

} // namespace
