// SPDX-License-Identifier: GPL-2.0
/* A NUMA node that is added later gets the attribute of its EPC, too. */
#include <kunit/test.h>
#include <linux/device.h>
#include <linux/nodemask.h>
#include <linux/sysfs.h>
#include "hw.h"
#include "node.h"

/**
 * struct nodes - a device of the bus of nodes, beside those of the kernel
 *
 * One test at a time uses it.
 */
static struct nodes {
	/** @parent: the parent of the device, or NULL. */
	struct device *parent;
	/** @node: the device, while @added is set. */
	struct device node;
	/** @added: whether the device is registered. */
	bool added;
	/** @attached: whether sgx2_node_init() has been called. */
	bool attached;
	/** @hw: the hardware before the test. */
	struct sgx2_hw hw;
} nodes;

static struct attribute *no_attrs[] = { NULL };
static const struct attribute_group x86_group = { .name = "x86", .attrs = no_attrs };
static const struct attribute_group *groups[] = { &x86_group, NULL };

static void node_release(struct device *device)
{
}

static void set_epc(unsigned int sections, u64 size)
{
	sgx2_hw.sections = sections;
	sgx2_hw.section[0].base = 0;
	sgx2_hw.section[0].size = size;
}

/* Add a device that is the first node to the kernel. */
static void add_node(struct kunit *test)
{
	struct kobject *first;
	char name[16];

	scnprintf(name, sizeof(name), "node%d", first_online_node);
	first = kset_find_obj(nodes.parent->kobj.kset, name);
	KUNIT_ASSERT_NOT_NULL(test, first);
	nodes.node = (struct device){
		.parent = nodes.parent,
		.bus = kobj_to_dev(first)->bus,
		.id = first_online_node,
		.groups = groups,
		.release = node_release,
	};
	kobject_put(first);
	KUNIT_ASSERT_EQ(test, dev_set_name(&nodes.node, "sgx2_node"), 0);
	KUNIT_ASSERT_EQ(test, device_register(&nodes.node), 0);
	nodes.added = true;
}

static void remove_node(void)
{
	device_unregister(&nodes.node);
	nodes.added = false;
}

static bool has_attribute(void)
{
	struct kernfs_node *group = sysfs_get_dirent(nodes.node.kobj.sd, "x86"), *file;
	bool found;

	file = group ? sysfs_get_dirent(group, "sgx_total_bytes") : NULL;
	found = file;
	sysfs_put(file);
	sysfs_put(group);
	return found;
}

static int suite_init(struct kunit *test)
{
	memset(&nodes, 0, sizeof(nodes));
	nodes.hw = sgx2_hw;
	nodes.parent = root_device_register("sgx2_test");
	return PTR_ERR_OR_ZERO(nodes.parent);
}

static void suite_exit(struct kunit *test)
{
	if (nodes.attached)
		sgx2_node_exit();
	if (nodes.added)
		remove_node();
	if (!IS_ERR_OR_NULL(nodes.parent))
		root_device_unregister(nodes.parent);
	sgx2_hw = nodes.hw;
}

static void attach(void)
{
	sgx2_node_init(nodes.parent);
	nodes.attached = true;
}

static void detach(void)
{
	nodes.attached = false;
	sgx2_node_exit();
}

/* The second node has the number of the first, so its file shows that the first is forgotten. */
static void hotplug_test(struct kunit *test)
{
	set_epc(0, 0);
	attach();
	set_epc(1, PAGE_SIZE);
	add_node(test);
	KUNIT_EXPECT_TRUE(test, has_attribute());
	remove_node();
	add_node(test);
	KUNIT_EXPECT_TRUE(test, has_attribute());
	remove_node();
	detach();
	add_node(test);
	KUNIT_EXPECT_FALSE(test, has_attribute());
}

static void no_epc_test(struct kunit *test)
{
	set_epc(1, 0);
	attach();
	add_node(test);
	KUNIT_EXPECT_FALSE(test, has_attribute());
	remove_node();
	detach();
}

static struct kunit_case cases[] = { KUNIT_CASE(hotplug_test), KUNIT_CASE(no_epc_test), {} };

static struct kunit_suite suite = {
	.name = "sgx2_node",
	.init = suite_init,
	.exit = suite_exit,
	.test_cases = cases,
};

kunit_test_suite(suite);
